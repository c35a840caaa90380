#include "net/http_connection.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace firstcome::net {

std::unique_ptr<Input> InputPool::lend() {
  std::unique_ptr<Input> input;
  if (free_.empty()) {
    input = std::make_unique<Input>();
    input->data = std::make_unique_for_overwrite<char[]>(small_bytes);
    input->capacity = small_bytes;
  } else {
    input = std::move(free_.back());
    free_.pop_back();
  }
  input->size = 0;
  input->untried = false;
  input->parser.emplace(limits_);
  return input;
}

void InputPool::take_back(std::unique_ptr<Input> input) {
  if (input->capacity == small_bytes && free_.size() < kept) free_.push_back(std::move(input));
}

void InputPool::enlarge(Input& input) const {
  assert(!is_large(input));
  auto larger = std::make_unique_for_overwrite<char[]>(limits_.buffer_bytes());
  std::memcpy(larger.get(), input.data.get(), input.size);
  input.data = std::move(larger);
  input.capacity = limits_.buffer_bytes();
}

const HttpRequest& Connection::request() const {
  static const HttpRequest none;
  return input ? input->request : none;
}

Connection& Connections::open(FileDescriptor fd) {
  if (free_.empty()) {
    slots_.emplace_back(responder_, static_cast<std::uint32_t>(slots_.size()));
    free_.push_back(slots_.back().index);
  }
  Connection& connection = slots_[free_.back()];
  free_.pop_back();
  connection.fd = std::move(fd);
  connection.phase = Connection::Phase::idle;
  connection.ending = Connection::Ending::none;
  connection.readable = connection.half_closed = connection.queued = false;
  connection.gone = connection.continued = connection.watches_writes = false;
  return connection;
}

void Connections::close(Connection& connection) {
  assert(connection.phase != Connection::Phase::unused);
  connection.cancel();
  connection.fd.reset();
  connection.attachment.reset();
  connection.input.reset();
  std::string{}.swap(connection.unsent);
  connection.phase = Connection::Phase::unused;
  ++connection.generation;
  free_.push_back(connection.index);
}

Connection* Connections::find(std::uint64_t token) {
  const auto index = static_cast<std::uint32_t>(token);
  if (index >= slots_.size()) return nullptr;
  Connection& connection = slots_[index];
  const bool current = connection.phase != Connection::Phase::unused && connection.generation == token >> 32;
  return current ? &connection : nullptr;
}

}  // namespace firstcome::net
