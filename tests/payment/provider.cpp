#include "payment/provider.hpp"

#include "support/http_peer.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>

namespace firstcome::payment {

namespace asio = boost::asio;
namespace json = boost::json;
using asio::ip::tcp;
using testing::HttpPeer;

namespace {

const std::map<std::string, Behaviour>& behaviours() {
  static const std::map<std::string, Behaviour> all{
      {"good", Behaviour::good},     {"decline", Behaviour::decline}, {"slow", Behaviour::slow},
      {"silent", Behaviour::silent}, {"closing", Behaviour::closing}, {"garbage", Behaviour::garbage},
      {"binary", Behaviour::binary}, {"error", Behaviour::error},     {"busy", Behaviour::busy},
      {"moved", Behaviour::moved},   {"refuse", Behaviour::refuse},
  };
  return all;
}

struct Reply {
  std::string status = "200 OK";
  std::string body = "{}";
  bool recorded = false;  ///< a charge that was not there before
};

struct Connection {
  explicit Connection(tcp::socket socket) : peer(std::move(socket)) {}
  HttpPeer peer;
  std::thread thread;
};

}  // namespace

Behaviour behaviour_named(const std::string& name) {
  const auto found = behaviours().find(name);
  if (found == behaviours().end()) throw std::invalid_argument("there is no behaviour \"" + name + '"');
  return found->second;
}

struct Provider::Impl {
  explicit Impl(ProviderOptions given)
      : options(std::move(given)), acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), options.port)) {
    recover();
    file = ::open(options.ledger.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) throw std::runtime_error("cannot open " + options.ledger.string());
    thread = std::thread([this] { accept(); });
  }
  ~Impl();

  void recover();
  void record(const json::object& entry);
  void remember(const json::object& entry);
  void accept();
  void serve(HttpPeer& peer);
  bool serve_payment(HttpPeer& peer, bool charge, const json::object& body);
  Reply charge(const json::object& body, Behaviour behaviour);
  Reply refund(const json::object& body);
  void kill_if(ProviderOptions::KillWhen when, bool recorded) const;

  ProviderOptions options;
  asio::io_context io;
  tcp::acceptor acceptor;
  int file = -1;
  std::thread thread;

  mutable std::mutex mutex;  ///< protects what follows
  mutable std::condition_variable changed;
  bool stopping = false;
  std::map<std::string, json::object> charges;
  std::set<std::string> declined;
  std::set<std::string> refunds;
  std::size_t requests = 0;
  std::size_t accepted = 0;
  std::string last_authorization;
  std::uint64_t recorded_charges = 0;
  std::list<Connection> connections;
};

Provider::Impl::~Impl() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  changed.notify_all();
  boost::system::error_code ignored;
  tcp::socket last(io);
  last.connect(acceptor.local_endpoint(), ignored);
  thread.join();
  for (Connection& connection : connections) connection.peer.cut();
  for (Connection& connection : connections) connection.thread.join();
  ::close(file);
}

void Provider::Impl::recover() {
  std::ifstream in(options.ledger);
  for (std::string line; std::getline(in, line);) remember(json::parse(line).as_object());
}

void Provider::Impl::remember(const json::object& entry) {
  const std::string key(entry.at("key").as_string());
  const json::string& kind = entry.at("kind").as_string();
  if (kind == "charge") charges.emplace(key, entry);
  if (kind == "decline") declined.insert(key);
  if (kind == "refund") refunds.insert(key);
}

void Provider::Impl::record(const json::object& entry) {
  const std::string line = json::serialize(entry) + '\n';
  if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size()) || ::fdatasync(file) != 0) {
    throw std::runtime_error("cannot write " + options.ledger.string());
  }
  remember(entry);
}

void Provider::Impl::accept() {
  for (;;) {
    tcp::socket socket = acceptor.accept();
    const std::lock_guard lock(mutex);
    if (stopping) return;
    ++accepted;
    Connection& connection = connections.emplace_back(std::move(socket));
    connection.thread = std::thread([this, &connection] {
      serve(connection.peer);
      connection.peer.cut();
    });
  }
}

Reply Provider::Impl::charge(const json::object& body, Behaviour behaviour) {
  const std::string key(body.at("key").as_string());
  if (declined.contains(key)) return {"402 Payment Required"};
  if (const auto known = charges.find(key); known != charges.end()) {
    if (known->second.at("amount") != body.at("amount")) return {"422 Unprocessable Content"};
    return {"200 OK", json::serialize(known->second)};
  }
  if (behaviour == Behaviour::refuse) return {"402 Payment Required", R"({"tried":false})"};
  if (behaviour == Behaviour::decline) {
    record({{"kind", "decline"}, {"key", key}});
    return {"402 Payment Required"};
  }
  const json::object entry{{"kind", "charge"},
                           {"key", key},
                           {"amount", body.at("amount")},
                           {"currency", body.at("currency")},
                           {"payment_id", "pay-" + std::to_string(charges.size() + 1)},
                           {"account_number", "110-" + std::to_string(charges.size() + 1)}};
  record(entry);
  ++recorded_charges;
  return {"200 OK", json::serialize(entry), true};
}

Reply Provider::Impl::refund(const json::object& body) {
  const std::string key(body.at("key").as_string());
  if (!refunds.contains(key)) record({{"kind", "refund"}, {"key", key}});
  return {};
}

void Provider::Impl::kill_if(ProviderOptions::KillWhen when, bool recorded) const {
  if (!recorded || options.kill_pid_file.empty() || when != options.kill_when) return;
  if (recorded_charges != options.kill_on) return;
  pid_t pid = 0;
  std::ifstream(options.kill_pid_file) >> pid;
  if (pid > 1) ::kill(pid, SIGKILL);
}

/// Returns whether the connection lives on.
bool Provider::Impl::serve_payment(HttpPeer& peer, bool is_charge, const json::object& body) {
  std::unique_lock lock(mutex);
  ++requests;
  changed.notify_all();
  const Behaviour behaviour = options.behaviour;
  if (behaviour == Behaviour::moved) {
    peer.answer("", "301 Moved Permanently");
    return true;
  }
  if (behaviour == Behaviour::error || behaviour == Behaviour::busy) {
    peer.answer("{}", behaviour == Behaviour::error ? "500 Internal Server Error" : "429 Too Many Requests");
    return true;
  }
  Reply reply = is_charge ? charge(body, behaviour) : refund(body);
  kill_if(ProviderOptions::KillWhen::before_answer, reply.recorded);
  if (behaviour == Behaviour::closing) return false;
  if (behaviour == Behaviour::silent) {
    changed.wait(lock, [this] { return stopping; });
    return false;
  }
  if (behaviour == Behaviour::slow) changed.wait_for(lock, options.delay, [this] { return stopping; });
  if (behaviour == Behaviour::garbage) reply.body = "<html>";
  if (behaviour == Behaviour::binary) reply.body = R"({"payment_id": "pay\u0000"})";
  peer.answer(reply.body, reply.status);
  kill_if(ProviderOptions::KillWhen::after_answer, reply.recorded);
  return true;
}

void Provider::Impl::serve(HttpPeer& peer) {
  for (std::string request = peer.read(); !request.empty(); request = peer.read()) {
    const std::string line = request.substr(0, request.find("\r\n"));
    const std::string body = request.substr(request.find("\r\n\r\n") + 4);
    const bool is_charge = line == "POST /charges HTTP/1.1";
    if (is_charge || line == "POST /refunds HTTP/1.1") {
      {
        constexpr std::string_view name = "\r\nAuthorization: ";
        const std::size_t at = request.find(name);
        const std::lock_guard lock(mutex);
        last_authorization.clear();
        if (at != std::string::npos)
          last_authorization = request.substr(at + name.size(), request.find('\r', at + 2) - at - name.size());
      }
      boost::system::error_code ec;
      const json::value value = json::parse(body, ec);
      const bool right = !ec && value.is_object() &&
                         request.find("\r\nIdempotency-Key: \"" + std::string(value.at("key").as_string()) +
                                      "\"\r\n") != std::string::npos;
      if (!right) {
        peer.answer("{}", "400 Bad Request");
      } else if (!serve_payment(peer, is_charge, value.get_object())) {
        return;
      }
    } else if (line == "POST /behaviour HTTP/1.1") {
      const std::lock_guard lock(mutex);
      options.behaviour = behaviour_named(body);
      peer.answer("");
    } else if (line == "GET /ledger HTTP/1.1") {
      json::object all;
      const std::lock_guard lock(mutex);
      json::array& listed = all["charges"].emplace_array();
      for (const auto& [key, entry] : charges) listed.emplace_back(entry);
      all["declined"] = json::value_from(declined);
      all["refunds"] = json::value_from(refunds);
      peer.answer(json::serialize(all));
    } else {
      peer.answer("", "404 Not Found");
    }
  }
}

Provider::Provider(ProviderOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Provider::~Provider() = default;

std::uint16_t Provider::port() const { return impl_->acceptor.local_endpoint().port(); }

void Provider::behave(Behaviour behaviour) {
  const std::lock_guard lock(impl_->mutex);
  impl_->options.behaviour = behaviour;
}

std::size_t Provider::charges() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->charges.size();
}

std::size_t Provider::refunds() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->refunds.size();
}

std::string Provider::last_authorization() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->last_authorization;
}

std::size_t Provider::requests() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->requests;
}

std::size_t Provider::connections() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->accepted;
}

bool Provider::wait_for_requests(std::size_t count) const {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_for(lock, std::chrono::seconds{10}, [&] { return impl_->requests >= count; });
}

}  // namespace firstcome::payment
