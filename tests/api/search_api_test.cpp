// Lists, search and files over HTTP.
#include "http_fixture.h"

namespace durascribe::api {
namespace {

class SearchApi : public HttpTest {
  protected:
    // A finished media whose one segment has this text.
    std::string finished(const std::string& title, const std::string& said) {
        workers_.on_transcribe = [said](const ports::TranscribeJob& job, const ports::RunControl&) {
            return Result<ports::TranscribeOutcome>({.segments = {{.span = job.span, .text = said}},
                                                     .engine = "scripted",
                                                     .model = "m"});
        };
        const auto media = upload("bytes of " + title, title + ".wav");
        EXPECT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
        return text(media, "id");
    }
    std::vector<std::string> titles(const std::string& query) {
        std::vector<std::string> list;
        for (const auto& item : ask_json("GET", "/api/v1/media" + query).at("items").as_array()) {
            list.push_back(text(item.as_object(), "title"));
        }
        return list;
    }
};
using Titles = std::vector<std::string>;

TEST_F(SearchApi, AHitTellsTheSecondAndMarksTheWords) {
    start();
    const std::string id = finished("Wetter", "😀 Es REGNET in 北京市 heute");
    const auto found = ask_json("GET", "/api/v1/search?q=regnet%20in");
    ASSERT_EQ(found.at("items").as_array().size(), 1U) << found;
    const auto& hit = found.at("items").at(0).as_object();
    EXPECT_EQ(text(hit, "media_id"), id);
    EXPECT_EQ(text(hit, "kind"), "segment");
    EXPECT_EQ(text(hit, "title"), "Wetter");
    EXPECT_EQ(hit.at("segment_id"), 0);
    EXPECT_EQ(hit.at("segment_index"), 0);
    EXPECT_EQ(hit.at("start"), 0);
    EXPECT_EQ(hit.at("end"), 20);
    EXPECT_EQ(hit.at("snippet").at("text"), "😀 Es REGNET in 北京市 heute");
    // UTF-16: the emoji counts as two.
    EXPECT_EQ(hit.at("snippet").at("marks"),
              json::parse(R"([{"start": 6, "end": 12}, {"start": 13, "end": 15}])"));
    EXPECT_EQ(found.at("next_cursor"), nullptr);
    EXPECT_EQ(text(found, "order"), "best_first");
    EXPECT_EQ(ask_json("GET", "/api/v1/search?q=%E4%BA%AC").at("items").as_array().size(), 1U);
    const auto title = ask_json("GET", "/api/v1/search?q=wett").at("items").at(0).as_object();
    EXPECT_EQ(text(title, "kind"), "title");
    EXPECT_EQ(title.at("start"), nullptr);
    EXPECT_EQ(ask_json("GET", "/api/v1/search?q=wett&media_id=" + id).at("items").as_array().size(),
              1U);
}

TEST_F(SearchApi, NoQueryIsASyntaxErrorButItMustBeThere) {
    start();
    finished("a", "b");
    for (const std::string q :
         {"%22", "*", "AND", "NEAR(", "a%20OR%20%22", "%27--", "%5E", "%F0%9F%98%80"}) {
        EXPECT_EQ(ask("GET", "/api/v1/search?q=" + q).status, 200) << q;
        EXPECT_EQ(ask("GET", "/api/v1/media?search=" + q).status, 200) << q;
    }
    for (const std::string bad : {"", "?q=", "?q=a&q=b", "?q=a&limit=0", "?q=a&media_id=x"}) {
        EXPECT_EQ(ask("GET", "/api/v1/search" + bad).status, 400) << bad;
    }
    EXPECT_EQ(ask("GET", "/api/v1/search?q=" + std::string(501, 'x')).status, 400);
    EXPECT_EQ(ask("GET", "/api/v1/search?q=a&cursor=zz").status, 400);
    EXPECT_EQ(ask("GET", "/api/v1/search?q=a&media_id=00000000-0000-7000-8000-000000000000").status,
              404);
}

TEST_F(SearchApi, TheListFiltersAndSorts) {
    start();
    finished("banana", "red");
    finished("apple", "green");
    shut_gate();
    workers_.on_transcribe =
        [this](const ports::TranscribeJob&,
               const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        (void)pass(control.stop);
        return fail(ErrorClass::lost, "stopped", "Stopped.");
    };
    upload("others", "cherry.wav");
    ASSERT_TRUE(await_inside());
    EXPECT_EQ(titles(""), (Titles{"cherry", "apple", "banana"}));
    EXPECT_EQ(titles("?sort=title"), (Titles{"apple", "banana", "cherry"}));
    EXPECT_EQ(titles("?sort=title&order=desc&limit=2"), (Titles{"cherry", "banana"}));
    EXPECT_EQ(titles("?order=asc"), (Titles{"banana", "apple", "cherry"}));
    EXPECT_EQ(titles("?status=completed"), (Titles{"apple", "banana"}));
    EXPECT_EQ(titles("?status=ready"), (Titles{"apple", "banana"}));
    EXPECT_EQ(titles("?status=transcribing"), Titles{"cherry"});
    EXPECT_EQ(titles("?status=ready,transcribing").size(), 3U);
    EXPECT_EQ(titles("?has_transcript=false"), Titles{"cherry"});
    EXPECT_EQ(titles("?has_transcript=true&search=gree"), Titles{"apple"});
    EXPECT_EQ(titles("?search=banana"), Titles{"banana"});
    EXPECT_EQ(titles("?language=en").size(), 3U);
    EXPECT_EQ(titles("?language=fr").size(), 0U);
    EXPECT_EQ(titles("?min_duration=20").size(), 3U);
    EXPECT_EQ(titles("?min_duration=20.001").size(), 0U);
    EXPECT_EQ(titles("?created_after=2020-01-01").size(), 3U);
    EXPECT_EQ(titles("?created_before=2020-01-01T00:00:00Z").size(), 0U);
    // Earlier clients' words, on their paths too.
    const auto legacy = ask_json("GET", "/media?status=ready");
    EXPECT_EQ(legacy.at("items").as_array().size(), 2U);
    EXPECT_EQ(legacy.at("items").at(0).at("status"), "ready");
    for (const std::string& bad : std::vector<std::string>{
             "status=done", "status=ready,", "sort=size", "order=up", "created_after=yesterday",
             "min_duration=-1", "min_duration=nan", "has_transcript=2", "search=a&sort=title",
             "search=" + std::string(501, 'x'), "sort=title&cursor=cd_1_2"}) {
        EXPECT_EQ(ask("GET", "/api/v1/media?" + bad).status, 400) << bad;
    }
    open_gate();
}

TEST_F(SearchApi, TheDecodedAudioIsAWavWhileItIsKept) {
    shut_gate();
    start();
    const auto media = upload();
    const std::string audio = "/api/v1/media/" + text(media, "id") + "/audio";
    ASSERT_TRUE(await_inside());
    const Answer whole = ask("GET", audio);
    ASSERT_EQ(whole.status, 200);
    EXPECT_EQ(whole.field("content-type"), "audio/wav");
    ASSERT_EQ(whole.body.size(), 46U);
    EXPECT_EQ(whole.body.substr(0, 4), "RIFF");
    EXPECT_EQ(whole.body.substr(8, 8), "WAVEfmt ");
    EXPECT_EQ(whole.body.substr(40), std::string("\2\0\0\0\1\0", 6));
    EXPECT_EQ(ask("HEAD", audio).field("content-length"), "46");
    for (const auto& [range, from, length] : {std::tuple{"0-3", 0, 4},
                                              {"42-44", 42, 3},
                                              {"44-", 44, 2},
                                              {"-1", 45, 1},
                                              {"0-", 0, 46}}) {
        const Answer part = ask("GET", audio, std::string("Range: bytes=") + range + "\r\n");
        EXPECT_EQ(part.status, 206) << range;
        EXPECT_EQ(part.body, whole.body.substr(static_cast<std::size_t>(from),
                                               static_cast<std::size_t>(length)))
            << range;
    }
    EXPECT_EQ(ask("GET", audio, "Range: bytes=46-\r\n").status, 416);
    EXPECT_EQ(ask("GET", audio, "If-None-Match: " + whole.field("etag") + "\r\n").status, 304);
    open_gate();
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    const Answer gone = ask("GET", audio);
    EXPECT_EQ(gone.status, 404);
    EXPECT_EQ(text(object(gone), "code"), "audio_not_kept");
}

TEST_F(SearchApi, APosterIsServedWhereTheMediaHasOne) {
    const auto extract = workers_.on_extract;
    workers_.on_extract = [extract](const ports::ExtractJob& job, const ports::RunControl& c) {
        auto outcome = extract(job, c);
        if (outcome && job.audio_track) {
            outcome->poster = domain::Poster{"image/jpeg", "\xff\xd8 a picture"};
        }
        return outcome;
    };
    start();
    const std::string path = "/api/v1/media/" + finished("a", "b");
    const Answer none = ask("GET", path + "/poster");
    EXPECT_EQ(none.status, 404);
    EXPECT_EQ(text(object(none), "code"), "no_poster");
    const auto again = object(ask("POST", path + "/reprocess?audio_track=0"));
    ASSERT_TRUE(await(text(again, "task_id"), domain::TaskState::completed));
    const Answer poster = ask("GET", path + "/poster");
    EXPECT_EQ(poster.status, 200);
    EXPECT_EQ(poster.field("content-type"), "image/jpeg");
    EXPECT_EQ(poster.body, "\xff\xd8 a picture");
    EXPECT_EQ(ask("GET", path + "/poster", "Range: bytes=2-3\r\n").body, " a");
    EXPECT_EQ(
        ask("GET", path + "/poster", "If-None-Match: " + poster.field("etag") + "\r\n").status,
        304);
}

TEST_F(SearchApi, ADownloadIsNamedSafelyWhateverTheTitleIs) {
    start();
    const std::string path = "/api/v1/media/" + finished("plain", "words");
    const auto name_for = [&](const std::string& title) {
        const Answer renamed = ask("PATCH", path, "Content-Type: application/json\r\n",
                                   json::serialize(json::object{{"title", title}}));
        EXPECT_EQ(renamed.status, 200) << renamed.body;
        return ask("GET", path + "/transcript.txt").field("content-disposition");
    };
    EXPECT_EQ(name_for("a\"b\\c/d"),
              "attachment; filename=\"a_b_c_d.txt\"; filename*=UTF-8''a_b_c_d.txt");
    EXPECT_EQ(name_for("😀"), "attachment; filename=\"_.txt\"; filename*=UTF-8''%F0%9F%98%80.txt");
    EXPECT_EQ(name_for("safe\u202Etxt.exe"),
              "attachment; filename=\"safetxt.exe.txt\"; filename*=UTF-8''safetxt.exe.txt")
        << "nothing turns the direction of a name";
    EXPECT_EQ(name_for("שלום"),
              "attachment; filename=\"____.txt\"; "
              "filename*=UTF-8''%D7%A9%D7%9C%D7%95%D7%9D.txt");
    EXPECT_EQ(name_for("../../etc"),
              "attachment; filename=\".._.._etc.txt\"; filename*=UTF-8''.._.._etc.txt");
    EXPECT_LE(name_for(std::string(500, 'x')).size(), 2 * 255U + 60U);
    EXPECT_EQ(
        ask("PATCH", path, "Content-Type: application/json\r\n", R"({"title": "a\r\nX-Evil: 1"})")
            .status,
        400);
}

}  // namespace
}  // namespace durascribe::api
