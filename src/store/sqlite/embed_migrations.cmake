# durascribe_embed_migrations(<folder> <output.cpp>): turns the numbered SQL files of a folder into
# one table, `embedded_migrations()` of migrations.h, in the order of their numbers.
function(durascribe_embed_migrations folder output)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.sql)
  list(SORT files)
  set(entries "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME_WE)
    string(REGEX MATCH "^[0-9]+" number ${name})
    string(REGEX REPLACE "^0+" "" number "${number}")
    file(READ ${file} sql)
    string(APPEND entries "    {${number}, \"${name}\", R\"MIGRATION(${sql})MIGRATION\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} CONTENT
"#include \"durascribe/store/sqlite/migrations.h\"

namespace durascribe::store {
namespace {

constexpr Migration kMigrations[] = {
@entries@};

}  // namespace

std::span<const Migration> embedded_migrations() { return kMigrations; }

}  // namespace durascribe::store
" @ONLY)
endfunction()
