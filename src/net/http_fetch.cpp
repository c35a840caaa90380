// One request, for programs without an io_context.
#include "net/http_client.hpp"

#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <exception>

namespace firstcome::net {

namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

Task<void> fetch_into(HttpClient& client, const ClientRequest& request, steady_clock::time_point deadline,
                      ClientResult& result) {
  result = co_await client.request(request, deadline);
}

}  // namespace

ClientResult fetch(const HttpOrigin& origin, const ClientRequest& request, std::chrono::milliseconds timeout) {
  asio::io_context io(1);
  ClientResult result;
  HttpClient client(io.get_executor(), origin);
  const auto stop = [&io](std::exception_ptr failed) {
    io.stop();  // or it would wait for the client's timer
    if (failed) std::rethrow_exception(failed);
  };
  asio::co_spawn(io.get_executor(), fetch_into(client, request, steady_clock::now() + timeout, result), stop);
  io.run();
  return result;
}

}  // namespace firstcome::net
