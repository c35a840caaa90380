#include "api/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <utility>

namespace firstcome::api {

namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

constexpr std::array<nanoseconds, 14> bounds{100us, 200us, 500us, 1ms,   2ms,   5ms, 10ms,
                                             20ms,  50ms,  100ms, 200ms, 500ms, 1s,  5s};
constexpr std::size_t statuses = 600;

double seconds(nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

/// What was counted of one route.
struct Requests {
  std::array<std::uint64_t, statuses> by_status{};
  std::array<std::uint64_t, bounds.size() + 1> by_latency{};  // the last: longer than all bounds
  nanoseconds sum{0};
};

struct Registered {
  prometheus::MetricType type;
  std::string name;
  std::string help;
  Metrics::Labels labels;
  Metrics::Read read;
};

std::vector<prometheus::ClientMetric::Label> labels_of(const Metrics::Route& route) {
  return {{"method", std::string(route.method)}, {"route", std::string(route.pattern)}};
}

prometheus::ClientMetric histogram_of(const Metrics::Route& route, const Requests& requests) {
  prometheus::ClientMetric metric;
  metric.label = labels_of(route);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    below += requests.by_latency[i];
    metric.histogram.bucket.push_back({below, seconds(bounds[i])});
  }
  metric.histogram.sample_count = below + requests.by_latency.back();
  metric.histogram.sample_sum = seconds(requests.sum);
  return metric;
}

prometheus::MetricFamily family(std::string name, std::string help, prometheus::MetricType type) {
  prometheus::MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

}  // namespace

struct Metrics::Impl {
  std::vector<Route> routes;
  std::vector<std::unique_ptr<Requests>> requests;
  std::vector<Registered> registered;
  std::vector<std::function<std::string()>> texts;

  void add(Registered value) { registered.push_back(std::move(value)); }

  void collect_requests(std::vector<prometheus::MetricFamily>& families) const {
    using prometheus::MetricType;
    auto total = family("firstcome_http_requests_total", "Requests answered", MetricType::Counter);
    auto latency =
        family("firstcome_http_request_seconds", "From a request's last byte to its answer", MetricType::Histogram);
    for (std::size_t i = 0; i < routes.size(); ++i) {
      if (!requests[i]) continue;
      latency.metric.push_back(histogram_of(routes[i], *requests[i]));
      for (std::size_t status = 0; status < statuses; ++status) {
        if (requests[i]->by_status[status] == 0) continue;
        prometheus::ClientMetric metric;
        metric.label = labels_of(routes[i]);
        metric.label.push_back({"status", std::to_string(status)});
        metric.counter.value = static_cast<double>(requests[i]->by_status[status]);
        total.metric.push_back(std::move(metric));
      }
    }
    families.push_back(std::move(total));
    families.push_back(std::move(latency));
  }

  void collect_registered(std::vector<prometheus::MetricFamily>& families) const {
    for (const Registered& value : registered) {
      auto found = std::ranges::find(families, value.name, &prometheus::MetricFamily::name);
      if (found == families.end()) {
        families.push_back(family(value.name, value.help, value.type));
        found = families.end() - 1;
      }
      prometheus::ClientMetric metric;
      for (const auto& [name, text] : value.labels) metric.label.push_back({name, text});
      (value.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value.read();
      found->metric.push_back(std::move(metric));
    }
  }
};

Metrics::Metrics(std::vector<Route> routes) : impl_(std::make_unique<Impl>()) {
  impl_->requests.resize(routes.size());
  impl_->routes = std::move(routes);
}

Metrics::~Metrics() = default;

void Metrics::add_counter(std::string name, std::string help, Read read, Labels labels) {
  impl_->add({prometheus::MetricType::Counter, std::move(name), std::move(help), std::move(labels), std::move(read)});
}

void Metrics::add_gauge(std::string name, std::string help, Read read, Labels labels) {
  impl_->add({prometheus::MetricType::Gauge, std::move(name), std::move(help), std::move(labels), std::move(read)});
}

void Metrics::add_text(std::function<std::string()> read) { impl_->texts.push_back(std::move(read)); }

void Metrics::count_request(std::size_t route, unsigned status, std::chrono::nanoseconds latency) {
  auto& requests = impl_->requests[route];
  if (!requests) requests = std::make_unique<Requests>();
  ++requests->by_status[std::min<std::size_t>(status, statuses - 1)];
  const auto bound = std::ranges::lower_bound(bounds, latency);
  ++requests->by_latency[static_cast<std::size_t>(bound - bounds.begin())];
  requests->sum += latency;
}

std::string Metrics::text() const {
  std::vector<prometheus::MetricFamily> families;
  impl_->collect_requests(families);
  impl_->collect_registered(families);
  std::string text = prometheus::TextSerializer().Serialize(families);
  for (const auto& read : impl_->texts) text += read();
  return text;
}

}  // namespace firstcome::api
