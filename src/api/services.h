// What the handlers may use. All of it outlives the server.
#pragma once

#include "durascribe/access/access_control.h"
#include "durascribe/api/server.h"
#include "durascribe/api/task_watch.h"
#include "durascribe/metrics/metrics.h"
#include "durascribe/ports/clock.h"

namespace durascribe::api {

class LiveHub;

struct Services {
    engine::Engine& engine;
    ports::Store& store;
    ports::BlobStore& blobs;
    const NodeFacts& facts;
    const ServerSettings& settings;
    LiveHub& live;
    TaskWatch& watch;
    access::AccessControl& access;
    metrics::Metrics& metrics;
    const ports::Clock& clock;
};

}  // namespace durascribe::api
