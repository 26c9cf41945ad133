add_executable(store_bench store_bench.cpp)
target_compile_options(store_bench PRIVATE ${DURASCRIBE_WARNINGS})
target_link_libraries(store_bench PRIVATE durascribe_store_sqlite Threads::Threads)
