// co_await blocking(pool, fn): runs fn on a blocking thread and comes back on the coroutine's own
// executor. Not cancellable: what the store has begun, it ends.
#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "durascribe/api/blocking_pool.h"

namespace durascribe::api {

// `fn` must give a value. An exception that it throws comes out of the co_await.
template <typename F>
boost::asio::awaitable<std::invoke_result_t<F>> blocking(BlockingPool& pool, F fn) {
    using Value = std::invoke_result_t<F>;
    auto initiate = [](auto handler, BlockingPool* to, F work) {
        auto guard = boost::asio::make_work_guard(boost::asio::get_associated_executor(handler));
        to->post([handler = std::move(handler), guard = std::move(guard),
                  work = std::move(work)]() mutable {
            std::exception_ptr thrown;
            std::optional<Value> value;
            try {
                value.emplace(work());
            } catch (...) {
                thrown = std::current_exception();
            }
            auto executor = guard.get_executor();
            boost::asio::post(executor, [handler = std::move(handler), thrown,
                                         value = std::move(value)]() mutable {
                std::move(handler)(thrown, std::move(value));
            });
        });
    };
    std::optional<Value> value =
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>,
                                             void(std::exception_ptr, std::optional<Value>)>(
            std::move(initiate), boost::asio::use_awaitable, &pool, std::move(fn));
    co_return std::move(*value);
}

}  // namespace durascribe::api
