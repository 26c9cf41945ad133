# The program durascribe: the server and its command line. It links neither FFmpeg nor a recogniser.
add_executable(durascribe durascribe.cpp node.cpp)
target_compile_options(durascribe PRIVATE ${DURASCRIBE_WARNINGS})
target_compile_definitions(durascribe PRIVATE DURASCRIBE_VERSION="${PROJECT_VERSION}")
target_link_libraries(durascribe PRIVATE
  durascribe_cli durascribe_backup durascribe_api durascribe_engine durascribe_process durascribe_blobs_local
  durascribe_store_sqlite durascribe_watch durascribe_webhooks)
