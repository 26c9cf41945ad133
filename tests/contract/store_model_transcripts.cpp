// The model's transcripts: how they are edited, and which one is shown.
#include <algorithm>

#include "store_model.h"

namespace durascribe::contract {

using domain::TaskState;

namespace {

using Text = std::map<std::int64_t, std::string>;

std::unexpected<Refusal> refuse(std::string code, ErrorClass cls = ErrorClass::request) {
    return std::unexpected(Refusal{cls, std::move(code)});
}

std::int64_t target_of(const ports::TranscriptEdit& edit) {
    if (const auto* change = std::get_if<ports::ChangeSegment>(&edit.what)) {
        return change->id;
    }
    const auto* merge = std::get_if<ports::MergeSegments>(&edit.what);
    return merge != nullptr ? merge->id : -1;
}

}  // namespace

const ModelTask* StoreModel::shown_task(const MediaId& id) const {
    const ModelTask* shown = nullptr;
    for (const auto& [task_id, t] : tasks) {  // their ids grow as they are made
        if (t.media == id && (t.state == TaskState::completed ||
                              t.state == TaskState::partial_failure || t.joined)) {
            shown = &t;
        }
    }
    return shown;
}

Text StoreModel::transcript(const ModelTask& t) {
    if (!t.revisions.empty()) {
        return t.revisions.back();
    }
    std::vector<std::string> texts;
    for (const ModelUnit& u : t.units) {
        texts.insert(texts.end(), u.texts.begin(), u.texts.end());
    }
    Text text;
    for (const std::string& s : t.joined.value_or(texts)) {
        text.emplace(static_cast<std::int64_t>(text.size()), s);
    }
    return text;
}

Answer<int> StoreModel::edit(const ports::TranscriptEdit& edit, std::optional<std::int64_t> next) {
    if (!media.contains(edit.media)) {
        return refuse("not_found");
    }
    const ModelTask* shown = shown_task(edit.media);
    ModelTask* t = task(edit.task          ? *edit.task
                        : shown != nullptr ? shown->id
                                           : media.at(edit.media).newest);
    if (t == nullptr || t->media != edit.media) {
        return refuse("not_found");
    }
    if (t->active()) {
        return refuse("transcript_not_final");
    }
    const Text before = transcript(*t);
    const int newest = t->revisions.empty() ? 0 : static_cast<int>(t->revisions.size()) - 1;
    const auto* restore = std::get_if<ports::RestoreRevision>(&edit.what);
    const std::int64_t target = target_of(edit);
    if (restore == nullptr && !before.contains(target)) {
        return refuse("not_found");
    }
    if (edit.if_newest && edit.if_newest->front().revision != newest) {
        return refuse("precondition_failed");
    }
    Text after = before;
    if (const auto* change = std::get_if<ports::ChangeSegment>(&edit.what)) {
        after[target] = *change->text;
    } else if (restore != nullptr) {
        if (restore->revision > newest) {
            return refuse("not_found");
        }
        after = newest == 0 ? before : t->revisions[static_cast<std::size_t>(restore->revision)];
    } else {
        if (!next) {
            return refuse("nothing_to_merge", ErrorClass::input);
        }
        after[target] += " " + after[*next];
        after.erase(*next);
    }
    if (after == before) {
        return newest;
    }
    if (t->revisions.empty()) {
        t->revisions.push_back(before);
    }
    t->revisions.push_back(after);
    tell("transcript.updated", *t);
    return newest + 1;
}

// What the chunks hold is shown, whatever an earlier run of the task had joined.
void StoreModel::join_without_finalize(ModelTask& t) {
    std::vector<std::string> texts;
    bool recognised = false;
    for (const ModelUnit& u : t.units) {
        recognised = recognised || (u.step == domain::Step::transcribe &&
                                    u.state == domain::UnitState::completed);
        texts.insert(texts.end(), u.texts.begin(), u.texts.end());
    }
    if (!recognised) {
        return;
    }
    recognised_again(t, texts);
    t.document.reset();
    t.joined.reset();
    if (!texts.empty()) {
        t.joined = std::move(texts);
    }
}

// What was recognised is in every revision, whatever was edited of it later.
void StoreModel::recognised_again(ModelTask& t, const std::vector<std::string>& texts) {
    if (t.revisions.empty()) {
        return;
    }
    std::vector<std::string> fresh;
    for (const std::string& text : texts) {
        if (std::ranges::none_of(t.revisions.front(),
                                 [&](const auto& s) { return s.second == text; })) {
            fresh.push_back(text);
        }
    }
    if (fresh.empty()) {
        return;
    }
    std::int64_t id = 0;
    for (const Text& text : t.revisions) {
        id = std::max(id, text.empty() ? 0 : text.rbegin()->first + 1);
    }
    t.revisions.push_back(t.revisions.back());
    for (const std::string& text : fresh) {
        for (Text& revision : t.revisions) {
            revision.emplace(id, text);
        }
        ++id;
    }
    tell("transcript.updated", t);
}

}  // namespace durascribe::contract
