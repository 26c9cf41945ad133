#include "describe.h"

#include <boost/json.hpp>

extern "C" {
#include <libavutil/avutil.h>
}

#include "durascribe/speech/engines/engines.h"

namespace durascribe {
namespace {

namespace json = boost::json;

json::object describe(const speech::EngineInfo& engine) {
    json::array models;
    for (const speech::Model& model : engine.models) {
        models.push_back(json::object{{"name", model.name},
                                      {"languages", json::array{model.language}},
                                      {"present", true},
                                      {"install", ""}});
    }
    if (models.empty()) {
        models.push_back(json::object{{"name", "-"},
                                      {"languages", json::array{}},
                                      {"present", false},
                                      {"install", engine.remedy}});
    }
    return {{"name", engine.name}, {"version", engine.version}, {"models", std::move(models)}};
}

}  // namespace

std::string describe_worker() {
    json::array engines;
    for (const speech::EngineInfo& engine : speech::engines()) {
        engines.push_back(describe(engine));
    }
    const json::array media{json::object{{"name", "FFmpeg"}, {"version", av_version_info()}}};
    return json::serialize(json::object{{"media", media}, {"engines", std::move(engines)}});
}

}  // namespace durascribe
