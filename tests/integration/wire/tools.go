//go:build tools

// Package wire pins the programs that wire.sh and bad_input.sh run.
package wire

import (
	_ "github.com/fullstorydev/grpcurl/cmd/grpcurl"
	_ "github.com/summerwind/h2spec/cmd/h2spec"
)
