// The names under which Whisper knows languages: what verbose_json says.
#include <algorithm>
#include <array>
#include <utility>

#include "durascribe/api/openai_shapes.h"

namespace durascribe::api {
namespace {

using Name = std::pair<std::string_view, std::string_view>;

// By tag.
constexpr std::array kNames{
    Name{"af", "afrikaans"},  Name{"am", "amharic"},       Name{"ar", "arabic"},
    Name{"as", "assamese"},   Name{"az", "azerbaijani"},   Name{"ba", "bashkir"},
    Name{"be", "belarusian"}, Name{"bg", "bulgarian"},     Name{"bn", "bengali"},
    Name{"bo", "tibetan"},    Name{"br", "breton"},        Name{"bs", "bosnian"},
    Name{"ca", "catalan"},    Name{"cs", "czech"},         Name{"cy", "welsh"},
    Name{"da", "danish"},     Name{"de", "german"},        Name{"el", "greek"},
    Name{"en", "english"},    Name{"es", "spanish"},       Name{"et", "estonian"},
    Name{"eu", "basque"},     Name{"fa", "persian"},       Name{"fi", "finnish"},
    Name{"fo", "faroese"},    Name{"fr", "french"},        Name{"gl", "galician"},
    Name{"gu", "gujarati"},   Name{"ha", "hausa"},         Name{"haw", "hawaiian"},
    Name{"he", "hebrew"},     Name{"hi", "hindi"},         Name{"hr", "croatian"},
    Name{"hu", "hungarian"},  Name{"hy", "armenian"},      Name{"id", "indonesian"},
    Name{"is", "icelandic"},  Name{"it", "italian"},       Name{"ja", "japanese"},
    Name{"jw", "javanese"},   Name{"ka", "georgian"},      Name{"kk", "kazakh"},
    Name{"km", "khmer"},      Name{"kn", "kannada"},       Name{"ko", "korean"},
    Name{"la", "latin"},      Name{"lb", "luxembourgish"}, Name{"ln", "lingala"},
    Name{"lo", "lao"},        Name{"lt", "lithuanian"},    Name{"lv", "latvian"},
    Name{"mg", "malagasy"},   Name{"mi", "maori"},         Name{"mk", "macedonian"},
    Name{"ml", "malayalam"},  Name{"mn", "mongolian"},     Name{"mr", "marathi"},
    Name{"ms", "malay"},      Name{"mt", "maltese"},       Name{"my", "myanmar"},
    Name{"ne", "nepali"},     Name{"nl", "dutch"},         Name{"nn", "nynorsk"},
    Name{"no", "norwegian"},  Name{"oc", "occitan"},       Name{"pa", "punjabi"},
    Name{"pl", "polish"},     Name{"pt", "portuguese"},    Name{"ro", "romanian"},
    Name{"ru", "russian"},    Name{"sa", "sanskrit"},      Name{"sd", "sindhi"},
    Name{"si", "sinhala"},    Name{"sk", "slovak"},        Name{"sl", "slovenian"},
    Name{"sn", "shona"},      Name{"so", "somali"},        Name{"sq", "albanian"},
    Name{"sr", "serbian"},    Name{"su", "sundanese"},     Name{"sv", "swedish"},
    Name{"sw", "swahili"},    Name{"ta", "tamil"},         Name{"te", "telugu"},
    Name{"tg", "tajik"},      Name{"th", "thai"},          Name{"tk", "turkmen"},
    Name{"tl", "tagalog"},    Name{"tr", "turkish"},       Name{"tt", "tatar"},
    Name{"uk", "ukrainian"},  Name{"ur", "urdu"},          Name{"uz", "uzbek"},
    Name{"vi", "vietnamese"}, Name{"yi", "yiddish"},       Name{"yo", "yoruba"},
    Name{"yue", "cantonese"}, Name{"zh", "chinese"},
};
static_assert(std::ranges::is_sorted(kNames, {}, &Name::first));

}  // namespace

std::string openai_language_name(std::string_view tag) {
    const std::string_view primary = tag.substr(0, tag.find('-'));
    const auto* found = std::ranges::lower_bound(kNames, primary, {}, &Name::first);
    return std::string{found != kNames.end() && found->first == primary ? found->second : tag};
}

}  // namespace durascribe::api
