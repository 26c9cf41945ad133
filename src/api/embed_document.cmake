# durascribe_embed_openapi(<document.json> <output.cpp>): the document as `openapi_document()`.
function(durascribe_embed_openapi document output)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${document})
  file(READ ${document} text)
  file(CONFIGURE OUTPUT ${output} CONTENT
"#include \"durascribe/api/openapi.h\"

namespace durascribe::api {

std::string_view openapi_document() {
    return R\"DOCUMENT(@text@)DOCUMENT\";
}

}  // namespace durascribe::api
" @ONLY)
endfunction()
