// Lists in pages, each going on where the last one ended.
#pragma once

#include <string>
#include <vector>

namespace durascribe::ports {

struct Page {
    int limit = 50;      // 1 to 200
    std::string cursor;  // opaque; empty: the first page
};
template <typename Row>
struct PageOf {
    std::vector<Row> rows;
    std::string next_cursor;  // empty: the end
};

}  // namespace durascribe::ports
