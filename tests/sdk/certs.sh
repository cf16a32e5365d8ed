#!/bin/bash
# certs.sh DIR - makes an authority and certificates for mutual TLS on this machine, valid for a week:
# ca.pem, server.pem, server.key (localhost, 127.0.0.1, ::1), client.pem, client.key.
# other-client.pem and .key come from another authority: a server must refuse them.
set -euo pipefail
mkdir -p "${1:?usage: certs.sh DIR}"
cd "$1"
umask 077

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

authority() { # FILE NAME
  key "$1.key"
  openssl req -x509 -new -key "$1.key" -days 7 -subj "/CN=$2" -out "$1.pem" \
    -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign,cRLSign
}

certificate() { # FILE NAME AUTHORITY USAGE
  key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$2" |
    openssl x509 -req -CA "$3.pem" -CAkey "$3.key" -CAcreateserial -days 7 -out "$1.pem" -extfile <(
      echo "basicConstraints=critical,CA:false"
      echo "keyUsage=critical,digitalSignature"
      echo "extendedKeyUsage=$4"
      echo "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
    ) 2>/dev/null
}

authority ca "Norn test authority"
authority other-ca "Another authority"
certificate server localhost ca serverAuth
certificate client sdk-test ca clientAuth
certificate other-client intruder other-ca clientAuth
