// What GET /metrics shows, in Prometheus's text format.
//
// Requests are counted here, in plain integers on the server's thread; everything else is read from its owner by a
// function when somebody asks.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::api {

/// Thread safety: use on the server's thread only.
class Metrics {
 public:
  /// Reads one value; called at each scrape on the server's thread, so it must not block.
  using Read = std::function<double()>;
  using Labels = std::map<std::string, std::string>;

  /// The labels of a route; the text must outlive the metrics.
  struct Route {
    std::string_view method;
    std::string_view pattern;
  };

  /// Requests are counted per index into `routes`.
  explicit Metrics(std::vector<Route> routes);
  ~Metrics();

  /// Registers a value that only grows, or one that goes up and down. Metrics with the same name and other labels
  /// become one family. Names end in their unit or in `_total`.
  void add_counter(std::string name, std::string help, Read read, Labels labels = {});
  void add_gauge(std::string name, std::string help, Read read, Labels labels = {});

  /// What others count, whole families in Prometheus's text format, in each scrape behind the rest; `read` as above.
  void add_text(std::function<std::string()> read);

  /// One request was answered. Constant time, no allocation but at the first of a route.
  void count_request(std::size_t route, unsigned status, std::chrono::nanoseconds latency);

  /// The text of one scrape.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::api
