// One connection's way through the rounds: read, parse, handle, answer, and again.
#include "net/http_server_impl.hpp"

#include <sys/socket.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace firstcome::net {

namespace {

using Phase = Connection::Phase;
using Ending = Connection::Ending;

constexpr std::uint32_t with_writes = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::size_t linger_bytes = std::size_t{8} << 20;  // thrown away before we give up on a client
constexpr int discards_per_round = 8;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

void HttpServer::Impl::on_event(Connection& connection, std::uint32_t events) {
  if (events & (EPOLLERR | EPOLLHUP)) return lost(connection);
  if (events & (EPOLLIN | EPOLLRDHUP)) {
    connection.readable = true;
    if (events & EPOLLRDHUP) {
      connection.half_closed = true;
      hurry(connection);
    }
  }
  if ((events & EPOLLOUT) && connection.phase == Phase::writing) return send_rest(connection);
  if (connection.readable) look_at(connection);
}

void HttpServer::Impl::hurry(Connection& connection) {
  if (connection.phase == Phase::handling && connection.attachment) connection.attachment->hurry();
}

void HttpServer::Impl::look_at(Connection& connection) {
  connection.queued = false;
  switch (connection.phase) {
    case Phase::idle:
    case Phase::reading_head:
    case Phase::reading_body:
      if (connection.input && connection.input->untried) return advance(connection);
      if (connection.readable) read(connection);
      break;
    case Phase::lingering:
      discard(connection);
      break;
    default:
      break;  // what comes meanwhile waits in the socket
  }
}

void HttpServer::Impl::read(Connection& connection) {
  if (!connection.input) connection.input = inputs_.lend();
  Input& input = *connection.input;
  const std::size_t room = input.capacity - input.size;
  const ssize_t got = ::recv(connection.fd.get(), input.data.get() + input.size, room, 0);
  if (got > 0) {
    input.size += static_cast<std::size_t>(got);
    connection.readable = static_cast<std::size_t>(got) == room || connection.half_closed;
    return advance(connection);
  }
  if (got == 0 || !would_block()) return release(connection);
  connection.readable = false;
  if (connection.phase != Phase::idle) return;
  if (drain_until_) return release(connection);
  give_back_input(connection);
}

void HttpServer::Impl::advance(Connection& connection) {
  Input& input = *connection.input;
  input.untried = false;
  switch (input.parser->parse(input.data.get(), input.size)) {
    case RequestParser::Progress::need_more:
      return wait_for_more(connection);
    case RequestParser::Progress::refused:
      return refuse(connection, input.parser->why());
    case RequestParser::Progress::complete:
      connection.cancel();
      connection.phase = Phase::handling;
      if (!input.parser->keep_alive()) connection.ending = Ending::after_answer;
      input.request = input.parser->request(input.data.get());
      ++counters_.requests;
      handler_.handle(connection);
  }
}

void HttpServer::Impl::wait_for_more(Connection& connection) {
  if (connection.input->parser->header_done()) {
    if (connection.phase != Phase::reading_body) {
      connection.phase = Phase::reading_body;
      body_deadlines_.add(connection, now_);
    }
    if (connection.input->parser->expects_continue() && !connection.continued && !say_continue(connection))
      return release(connection);
  } else if (connection.phase == Phase::idle) {
    connection.phase = Phase::reading_head;
    if (!header_deadlines_.holds(connection)) header_deadlines_.add(connection, now_);
  }
  make_room(connection);
}

void HttpServer::Impl::make_room(Connection& connection) {
  Input& input = *connection.input;
  if (input.size == input.capacity) {
    if (!inputs_.is_large(input))
      inputs_.enlarge(input);
    else
      input.size = input.parser->compact(input.data.get(), input.size);
    if (input.size == input.capacity) return refuse(connection, BadRequest::header_too_large);
  }
  if (connection.readable) queue(connection);
}

/// False: the connection is of no use any more. (Its socket is full although nothing is under way on it.)
bool HttpServer::Impl::say_continue(Connection& connection) {
  static constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
  connection.continued = true;
  return ::send(connection.fd.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

void HttpServer::Impl::refuse(Connection& connection, BadRequest why) {
  connection.cancel();
  connection.phase = Phase::handling;
  connection.ending = Ending::refused;
  if (connection.input) {
    connection.input->request = {};
    if (connection.input->parser) connection.input->request.repeated_field = connection.input->parser->repeated_field();
  }
  ++counters_.refused;
  handler_.refuse(why, connection);
}

void HttpServer::Impl::respond(Connection& connection, unsigned status, std::string_view content_type,
                               std::string_view body, std::span<const HttpField> fields) {
  assert(connection.phase == Phase::handling);
  connection.phase = Phase::answered;
  answers_.push_back(&connection);
  if (connection.gone) return;
  if (drain_until_ && connection.ending == Ending::none) connection.ending = Ending::after_answer;
  Response response{status, content_type, body, fields, date_.at(std::time(nullptr))};
  if (connection.ending != Ending::none)
    response.connection = Response::Connection::closes;
  else if (connection.input->parser->http_10())
    response.connection = Response::Connection::stays_http_10;
  if (connection.request().method == Method::head) response.send_body = Response::Body::head_only;
  connection.answer_begin = out_.size();
  append(out_, response);
  connection.answer_size = out_.size() - connection.answer_begin;
}

void HttpServer::Impl::flush() {
  for (Connection* connection : answers_) {
    if (connection->gone)
      release(*connection);
    else
      send_answer(*connection);
  }
  answers_.clear();
  out_.clear();
}

void HttpServer::Impl::send_answer(Connection& connection) {
  const std::string_view answer = out_.view(connection.answer_begin, connection.answer_size);
  ssize_t sent = ::send(connection.fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  if (sent < 0 && !would_block()) return release(connection);
  if (sent < 0) sent = 0;
  if (static_cast<std::size_t>(sent) == answer.size()) return finish(connection);
  const std::string_view rest = answer.substr(static_cast<std::size_t>(sent));
  if (rest.size() > options_.unsent_bytes - unsent_bytes_) {
    ++counters_.cut_off;
    return release(connection);
  }
  unsent_bytes_ += rest.size();
  connection.unsent = rest;
  connection.unsent_begin = 0;
  connection.phase = Phase::writing;
  write_deadlines_.add(connection, now_);
  if (connection.watches_writes) return;
  connection.watches_writes = true;
  poller_.change(connection.fd.get(), with_writes, connection.token());
}

void HttpServer::Impl::send_rest(Connection& connection) {
  const std::string_view rest = std::string_view{connection.unsent}.substr(connection.unsent_begin);
  const ssize_t sent = ::send(connection.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    if (!would_block()) release(connection);
    return;
  }
  connection.unsent_begin += static_cast<std::size_t>(sent);
  if (connection.unsent_begin < connection.unsent.size()) return;
  connection.cancel();
  forget_unsent(connection);
  finish(connection);
}

/// The answer was sent. What follows in the buffer is the beginning of the next request.
void HttpServer::Impl::finish(Connection& connection) {
  if (connection.ending != Ending::none) return end(connection);
  Input& input = *connection.input;
  const std::size_t consumed = input.parser->consumed();
  connection.phase = Phase::idle;
  connection.continued = false;
  if (input.size > consumed) {
    input.size -= consumed;
    std::memmove(input.data.get(), input.data.get() + consumed, input.size);
    input.parser.emplace(limits_);
    input.untried = true;
    return queue(connection);
  }
  give_back_input(connection);
  idle_deadlines_.add(connection, now_);
  if (drain_until_) connection.readable = true;  // one last look
  if (connection.readable) queue(connection);
}

void HttpServer::Impl::end(Connection& connection) {
  const bool left_over = connection.input && connection.input->size > connection.input->parser->consumed();
  if (connection.ending != Ending::refused && !connection.readable && !left_over) return release(connection);
  // Closing with unread bytes would reset the connection, and the client might never see the answer.
  ::shutdown(connection.fd.get(), SHUT_WR);
  give_back_input(connection);
  connection.phase = Phase::lingering;
  connection.answer_size = 0;
  linger_deadlines_.add(connection, now_);
  discard(connection);
}

void HttpServer::Impl::discard(Connection& connection) {
  static thread_local std::array<char, 65536> nowhere;
  for (int i = 0; i < discards_per_round; ++i) {
    const ssize_t got = ::recv(connection.fd.get(), nowhere.data(), nowhere.size(), 0);
    if (got < 0 && would_block()) {
      connection.readable = false;
      return;
    }
    if (got <= 0) return release(connection);
    connection.answer_size += static_cast<std::size_t>(got);
    if (connection.answer_size > linger_bytes) return release(connection);
  }
  queue(connection);
}

/// The client has gone. What a handler still works on lives until it is answered.
void HttpServer::Impl::lost(Connection& connection) {
  if (connection.phase != Phase::handling && connection.phase != Phase::answered) return release(connection);
  connection.gone = true;
  hurry(connection);
  connection.fd.reset();
  if (accept_again_) resume_accept();
}

void HttpServer::Impl::forget_unsent(Connection& connection) {
  unsent_bytes_ -= connection.unsent.size();
  std::string{}.swap(connection.unsent);
}

void HttpServer::Impl::release(Connection& connection) {
  forget_unsent(connection);
  give_back_input(connection);
  connections_.close(connection);
  if (accept_again_) resume_accept();
}

void HttpServer::Impl::queue(Connection& connection) {
  if (connection.queued) return;
  connection.queued = true;
  queue_.push_back(&connection);
}

void HttpServer::Impl::give_back_input(Connection& connection) {
  if (connection.input) inputs_.take_back(std::move(connection.input));
}

}  // namespace firstcome::net
