// A connection of the HTTP server, and where connections and their buffers are kept.
//
// A connection that waits for a request is small: buffer and parser are lent to it with the first byte of a request and
// taken back when that was answered. Connections stay where they are; a slot that is used again has a new generation,
// so that an event meant for its former user is recognised.
#pragma once

#include "net/deadline_list.hpp"
#include "net/file_descriptor.hpp"
#include "net/http_server.hpp"
#include "net/request_parser.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::net {

/// What has been read of a request, and what follows it.
struct Input {
  std::optional<RequestParser> parser;
  HttpRequest request;
  std::unique_ptr<char[]> data;
  std::size_t size = 0;
  std::size_t capacity = 0;
  bool untried = false;  // holds bytes that the parser has not seen
};

/// Lends inputs. The last one given back is lent first: it is still in the cache.
class InputPool {
 public:
  explicit InputPool(const RequestLimits& limits) : limits_(limits) {}

  std::unique_ptr<Input> lend();
  void take_back(std::unique_ptr<Input> input);
  /// Makes room for any request within the limits. REQUIRES: not large yet.
  void enlarge(Input& input) const;
  bool is_large(const Input& input) const { return input.capacity >= limits_.buffer_bytes(); }

 private:
  // A little more than a page, so that the beginnings of buffers do not all compete for the same cache lines.
  static constexpr std::size_t small_bytes = 4096 + 64;
  static constexpr std::size_t kept = 512;
  const RequestLimits& limits_;
  std::vector<std::unique_ptr<Input>> free_;
};

class Connection;

/// Who sends what a connection's exchange is answered with.
class Responder {
 public:
  virtual void respond(Connection& connection, unsigned status, std::string_view content_type, std::string_view body,
                       std::span<const HttpField> fields) = 0;

 protected:
  ~Responder() = default;
};

class Connection final : public Exchange, public Deadline {
 public:
  enum class Phase : std::uint8_t {
    unused,
    idle,          // between requests, nothing read
    reading_head,  // some bytes of a request
    reading_body,
    handling,   // a handler owes an answer
    answered,   // it is sent at the end of the round
    writing,    // the socket took a part of it
    lingering,  // closed by us; what the client still sends is thrown away
  };
  /// Why it is closed after its answer, and how.
  enum class Ending : std::uint8_t {
    none,
    after_answer,
    refused,  // the client may be in the middle of sending: linger
  };

  Connection(Responder& responder, std::uint32_t slot) : responder_(responder), index(slot) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  const HttpRequest& request() const override;
  void respond(unsigned status, std::string_view content_type, std::string_view body,
               std::span<const HttpField> fields) override {
    responder_.respond(*this, status, content_type, body, fields);
  }

  std::uint64_t token() const { return std::uint64_t{generation} << 32 | index; }

 private:
  Responder& responder_;

 public:
  const std::uint32_t index;
  std::uint32_t generation = 0;
  FileDescriptor fd;
  Phase phase = Phase::unused;
  Ending ending = Ending::none;
  bool readable = false;     // a read may find something
  bool half_closed = false;  // the client sends no more: go on reading until its end is seen
  bool queued = false;       // to be looked at in the next round
  bool gone = false;         // the client went away while its request was handled
  bool continued = false;    // a 100 was sent for this request
  bool watches_writes = false;
  std::unique_ptr<Input> input;
  std::size_t answer_begin = 0, answer_size = 0;  // in the round's output; while lingering: bytes thrown away
  std::string unsent;                             // while writing
  std::size_t unsent_begin = 0;
};

class Connections {
 public:
  explicit Connections(Responder& responder) : responder_(responder) {}

  Connection& open(FileDescriptor fd);
  void close(Connection& connection);
  /// nullptr: of a connection that has been closed.
  Connection* find(std::uint64_t token);

  std::size_t count() const { return slots_.size() - free_.size(); }
  /// All slots, unused ones too.
  std::deque<Connection>& slots() { return slots_; }

 private:
  Responder& responder_;
  std::deque<Connection> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace firstcome::net
