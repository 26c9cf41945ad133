#include "durascribe/cli/settings.h"
#include "scratch_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace durascribe::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SettingsTest : public ::testing::Test {
  protected:
    void SetUp() override {
        environment_ = {{"HOME", (dir_ / "home").string()}, {"DURASCRIBE_DATA", dir_.string()}};
    }

    void write_toml(const std::string& text) { std::ofstream(dir_ / "durascribe.toml") << text; }
    Result<Settings> load(const FlagValues& flags = {}) {
        return load_settings(flags, environment_, std::nullopt);
    }
    std::string message(const FlagValues& flags = {}) {
        const auto settings = load(flags);
        return settings ? "no error" : settings.error().message;
    }

    durascribe::testing::ScratchDirectory scratch_;
    const std::filesystem::path dir_ = scratch_.path();
    Environment environment_;
};

TEST_F(SettingsTest, DefaultsAreThoseOfTheDocumentation) {
    const auto settings = load();
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->listen_host, "127.0.0.1");
    EXPECT_EQ(settings->listen_port, 8000);
    EXPECT_EQ(settings->transcription_timeout, std::nullopt);
    EXPECT_EQ(settings->max_concurrent_transcriptions, 2);
    EXPECT_EQ(settings->max_retry_attempts, 3);
    EXPECT_TRUE(settings->enable_progress_websocket);
    EXPECT_FALSE(settings->require_if_match);
    EXPECT_TRUE(settings->cors_origins.empty());
    EXPECT_TRUE(settings->transcription_queue_enabled);
    EXPECT_EQ(settings->max_memory_per_transcription, 2LL << 30);
    EXPECT_EQ(settings->cpu_limit_per_transcription, 2);
}

TEST_F(SettingsTest, TimesOfDownloadsAreSeconds) {
    EXPECT_EQ(load()->import_timeout, Millis{21'600'000});
    EXPECT_EQ(load()->import_stall_timeout, Millis{30'000});
    EXPECT_TRUE(load()->import_sites);
    environment_["IMPORT_TIMEOUT"] = "90";
    environment_["IMPORT_STALL_TIMEOUT"] = "7";
    EXPECT_EQ(load()->import_timeout, Millis{90'000});
    EXPECT_EQ(load()->import_stall_timeout, Millis{7'000});
    for (const char* bad : {"0", "604801", "1.5", "soon"}) {
        environment_["IMPORT_TIMEOUT"] = bad;
        EXPECT_THAT(message(), HasSubstr("IMPORT_TIMEOUT")) << bad;
    }
}

TEST_F(SettingsTest, DataDirectoryFollowsXdgThenHome) {
    environment_.erase("DURASCRIBE_DATA");
    EXPECT_EQ(load()->data_dir, dir_ / "home/.local/share/durascribe");
    environment_["XDG_DATA_HOME"] = "/xdg";
    EXPECT_EQ(load()->data_dir, "/xdg/durascribe");
    environment_["XDG_DATA_HOME"] = "relative";
    EXPECT_EQ(load()->data_dir, dir_ / "home/.local/share/durascribe");
    environment_.erase("HOME");
    environment_.erase("XDG_DATA_HOME");
    EXPECT_THAT(message(), HasSubstr("--data DIR"));
}

TEST_F(SettingsTest, FlagsPrevailOverEnvironmentOverFileOverDefaults) {
    write_toml("listen = \"127.0.0.1:1\"\nmax_retry_attempts = 5\ntranscription_timeout = 60\n");
    EXPECT_EQ(load()->listen_port, 1);
    environment_["DURASCRIBE_LISTEN"] = "127.0.0.1:2";
    environment_["MAX_RETRY_ATTEMPTS"] = "7";
    const auto settings = load({{"listen", "[::1]:3"}});
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->listen_host, "::1");
    EXPECT_EQ(settings->listen_port, 3);
    EXPECT_EQ(settings->max_retry_attempts, 7);
    EXPECT_EQ(settings->transcription_timeout, Millis{60'000});
}

TEST_F(SettingsTest, UnknownKeyInTheFileIsNamedWithItsLine) {
    write_toml("max_retry_attempts = 5\nmax_retrys = 3\n");
    EXPECT_THAT(message(),
                AllOf(HasSubstr("durascribe.toml, line 2"), HasSubstr("\"max_retrys\"")));
}

TEST_F(SettingsTest, BadValueIsNamedWithItsPlaceAndWhatIsExpected) {
    write_toml("max_concurrent_transcriptions = \"many\"\n");
    EXPECT_THAT(message(), AllOf(HasSubstr("max_concurrent_transcriptions is \"many\""),
                                 HasSubstr("line 1"), HasSubstr("from 1 to 256")));
    write_toml("");
    environment_["TRANSCRIPTION_TIMEOUT"] = "0";
    EXPECT_THAT(message(), AllOf(HasSubstr("TRANSCRIPTION_TIMEOUT is \"0\" (in the environment)"),
                                 HasSubstr("seconds from 1")));
    environment_.erase("TRANSCRIPTION_TIMEOUT");
    EXPECT_THAT(
        message({{"listen", "8000"}}),
        AllOf(HasSubstr("--listen is \"8000\" (on the command line)"), HasSubstr("HOST:PORT")));
    EXPECT_THAT(message({{"listen", "127.0.0.1:70000"}}), HasSubstr("HOST:PORT"));
}

TEST_F(SettingsTest, OriginsAreAListOfWhatBrowsersSend) {
    environment_["CORS_ORIGINS"] = "https://app.example, http://localhost:5173";
    EXPECT_EQ(load()->cors_origins,
              (std::vector<std::string>{"https://app.example", "http://localhost:5173"}));
    for (const char* bad :
         {"*", "app.example", "https://app.example/", "https://a,,https://b",
          "https://u@app.example", "https://App.example", "https://", "http://:80"}) {
        environment_["CORS_ORIGINS"] = bad;
        EXPECT_THAT(message(), HasSubstr("CORS_ORIGINS is \"")) << bad;
    }
}

TEST_F(SettingsTest, BrokenFileIsNamedWithItsLine) {
    write_toml("max_retry_attempts = 5\nlisten = = 3\n");
    EXPECT_THAT(message(), HasSubstr("durascribe.toml, line 2"));
    write_toml("[server]\nlisten = \"127.0.0.1:1\"\n");
    EXPECT_THAT(message(), HasSubstr("\"server\""));
}

TEST_F(SettingsTest, UnknownVariableIsAnErrorOnlyWithOurPrefix) {
    environment_["MAX_RETRIES"] = "nonsense";
    environment_["DURASCRIBE_LAUNCHER"] = "ccache";
    EXPECT_TRUE(load());
    environment_["DURASCRIBE_LISTENN"] = "x";
    EXPECT_THAT(message(), HasSubstr("DURASCRIBE_LISTENN"));
}

TEST_F(SettingsTest, NamedConfigurationFileMustBeThere) {
    const auto settings = load_settings({}, environment_, dir_ / "other.toml");
    ASSERT_FALSE(settings);
    EXPECT_THAT(settings.error().message, HasSubstr("other.toml"));
}

TEST_F(SettingsTest, OtherDatabasesAreRefusedWithTheReason) {
    EXPECT_TRUE(load({{"database", "sqlite"}}));
    EXPECT_THAT(message({{"database", "postgresql://db/x"}}),
                HasSubstr("PostgreSQL comes with a later version"));
}

TEST_F(SettingsTest, EveryKeyHasItsOwnNames) {
    for (const auto& name : setting_names()) {
        int same = 0;
        for (const auto& other : setting_names()) {
            same += (other.toml == name.toml || other.environment == name.environment) ? 1 : 0;
        }
        EXPECT_EQ(same, 1) << name.toml;
    }
}

TEST(Bytes, AreReadWithTheirUnits) {
    EXPECT_EQ(bytes_from("2GB"), 2LL << 30);
    EXPECT_EQ(bytes_from("2 GiB"), 2LL << 30);
    EXPECT_EQ(bytes_from("1.5k"), 1536);
    EXPECT_EQ(bytes_from("100"), 100);
    EXPECT_EQ(bytes_from("3T"), 3LL << 40);
    for (const char* bad :
         {"", "GB", "2XB", "-1", "2GBB", "1e3", "99999999999999999999T", "1.2.3"}) {
        EXPECT_EQ(bytes_from(bad), std::nullopt) << bad;
    }
}

TEST(Loopback, IsOnlyThisMachine) {
    for (const char* inside : {"localhost", "127.0.0.1", "127.9.9.9", "::1"}) {
        EXPECT_TRUE(is_loopback(inside)) << inside;
    }
    for (const char* outside :
         {"0.0.0.0", "::", "192.168.1.2", "127.evil.example", "127.0.0.1.example", "127.1", ""}) {
        EXPECT_FALSE(is_loopback(outside)) << outside;
    }
}

}  // namespace
}  // namespace durascribe::cli
