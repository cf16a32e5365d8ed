/* The generated messages of all services, and short names for the two that are used everywhere. */
#ifndef NORN_FRONTEND_API_HEADERS_H
#define NORN_FRONTEND_API_HEADERS_H

#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"
#include "norn/admin.pb-c.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"
#include "temporal/api/testservice/v1/request_response.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define WS(name) Temporal__Api__Workflowservice__V1__##name
#define OS(name) Temporal__Api__Operatorservice__V1__##name

#endif
