#include "lock/redis/fifo_scripts.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <utility>

namespace firstcome::lock {

using net::RedisCommand;
using net::RedisReply;
using net::RedisScript;

// Embedded by the build.
std::string_view fifo_common_lua();
std::string_view fifo_acquire_lua();
std::string_view fifo_release_lua();
std::string_view fifo_renew_lua();
std::string_view fifo_cancel_lua();
std::string_view fifo_pulse_lua();
std::string_view fifo_inspect_lua();
std::string_view fifo_free_lua();
std::string_view permits_common_lua();
std::string_view permits_acquire_lua();
std::string_view permits_release_lua();
std::string_view permits_renew_lua();
std::string_view permits_cancel_lua();
std::string_view permits_pulse_lua();
std::string_view permits_inspect_lua();
std::string_view permits_capacity_lua();

namespace {

/// The line with the flags must be the first.
RedisScript with_common(std::string_view common, std::string_view script) {
  const std::size_t end = script.find('\n') + 1;
  std::string text(script.substr(0, end));
  text += common;
  text += script.substr(end);
  return RedisScript(std::move(text));
}

/// What stands in `parts` below "--# NAME".
std::string_view part(std::string_view parts, std::string_view name) {
  constexpr std::string_view mark = "\n--# ";
  const std::size_t line = parts.find(std::string(mark) + std::string(name) + "\n");
  assert(line != parts.npos && "a script names a part that there is");
  const std::size_t begin = line + mark.size() + name.size() + 1;
  const std::size_t end = std::min(parts.find(mark, begin), parts.size() - 1);
  return parts.substr(begin, parts.find_last_not_of('\n', end) + 2 - begin);
}

/// With the parts in place of the lines "--@ NAME" that stand for them, as far in as those lines.
std::string with_parts(std::string_view parts, std::string_view script, std::size_t margin = 0) {
  constexpr std::string_view mark = "--@ ";
  std::string text;
  while (!script.empty()) {
    const std::string_view line = script.substr(0, script.find('\n'));
    script.remove_prefix(line.size() + 1);
    const std::size_t inner = line.find_first_not_of(' ');
    if (inner != line.npos && line.substr(inner).starts_with(mark)) {
      text += with_parts(parts, part(parts, line.substr(inner + mark.size())), margin + inner);
    } else {
      if (!line.empty()) text.append(margin, ' ').append(line);
      text += '\n';
    }
  }
  return text;
}

RedisCommand& add_trust(RedisCommand& command, Trust trust) {
  return trust == Trust::yes ? command.add_unless_redirected("1", "0") : command.add("0");
}

constexpr std::string_view tried(Repeated repeated) { return repeated == Repeated::yes ? "again" : "first"; }

constexpr std::string_view mark(LateCopy copy) { return copy == LateCopy::possible ? "1" : "0"; }

std::uint64_t number(const RedisReply& reply) { return static_cast<std::uint64_t>(reply.to_integer().value_or(0)); }

Milliseconds time(const RedisReply& reply) { return Milliseconds{reply.to_integer().value_or(0)}; }

/// One grant, or any number of them.
std::vector<FifoGrant> grants(const RedisReply& reply) {
  const auto read = [](const RedisReply& one) {
    return FifoGrant{number(one.at(0)), number(one.at(1)), time(one.at(2)), number(one.at(3))};
  };
  std::vector<FifoGrant> all;
  if (reply.at(0).is_array()) {
    for (const RedisReply& one : reply.elements) all.push_back(read(one));
  } else if (reply.elements.size() == 4) {
    all.push_back(read(reply));
  }
  return all;
}

/// The beginning of every command: the keys.
template <typename... Arguments>
RedisCommand at_place(const RedisScript& script, const FifoPlace& place, const Arguments&... arguments) {
  if (place.has_permits()) return RedisCommand(script, {place.key, place.holders}, arguments...);
  return RedisCommand(script, {place.key}, arguments...);
}

/// A name's channels, in a cluster: three of one name do not share one.
constexpr std::string_view channel_suffix(Share::Of of) {
  if (of == Share::Of::lock) return ":";
  return of == Share::Of::read_write ? ":rwlock:" : ":semaphore:";
}

bool is_array_of(const RedisReply& reply, std::size_t least) {
  return reply.is_array() && reply.elements.size() >= least;
}

template <typename Outcome, std::size_t count>
std::optional<Outcome> outcome_of(const RedisReply& reply, const std::array<std::string_view, count>& words) {
  for (std::size_t i = 0; i < count; ++i) {
    if (reply.text == words[i]) return static_cast<Outcome>(i);
  }
  return {};
}

}  // namespace

FifoScripts FifoScripts::standard() {
  const auto script = [](std::string_view text) { return RedisScript(with_parts(fifo_common_lua(), text)); };
  static const FifoScripts all{script(fifo_acquire_lua()), script(fifo_release_lua()), script(fifo_renew_lua()),
                               script(fifo_cancel_lua()),  script(fifo_pulse_lua()),   script(fifo_inspect_lua()),
                               script(fifo_free_lua())};
  return all;
}

PermitScripts PermitScripts::standard() {
  const auto script = [](std::string_view text) { return with_common(permits_common_lua(), text); };
  static const PermitScripts all{
      {script(permits_acquire_lua()), script(permits_release_lua()), script(permits_renew_lua()),
       script(permits_cancel_lua()), script(permits_pulse_lua()), script(permits_inspect_lua())},
      script(permits_capacity_lua())};
  return all;
}

std::string_view fifo_key_prefix(Share::Of of) {
  switch (of) {
    case Share::Of::lock:
      return "firstcome:lock:";
    case Share::Of::read_write:
      return "firstcome:rwlock:";
    case Share::Of::semaphore:
      return "firstcome:semaphore:";
  }
  std::unreachable();
}

FifoPlace fifo_place(const ShareName& name, std::string process, Channels channels) {
  const std::string tag = "{" + name.name + "}";
  FifoPlace place{
      .key = std::string(fifo_key_prefix(name.of)) + tag, .process = std::move(process), .inbox = "firstcome:inbox:"};
  if (channels == Channels::by_name) place.inbox += tag + std::string(channel_suffix(name.of));
  if (name.of != Share::Of::lock) place.holders = place.key + ":h";
  return place;
}

RedisCommand acquire_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                             const AcquireRequest& request, Trust trust) {
  RedisCommand command = at_place(scripts.acquire, place, place.process, place.inbox);
  add_trust(command, trust).add(request.number).add(request.lease.count());
  command.add(request.once == Once::yes ? "once" : "wait").add(std::min(times.claim, request.lease).count());
  command.add(times.waiter_lease.count()).add(times.keep.count()).add(times.most_waiters);
  command.add(tried(request.repeated));
  if (place.has_permits()) command.add(request.share.weight).add(request.share.capacity);
  if (!request.holder.empty()) command.add(request.holder);
  return command;
}

RedisCommand release_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                             const ReleaseRequest& request, Trust trust) {
  RedisCommand command = at_place(scripts.release, place, place.process, place.inbox);
  add_trust(command, trust).add(request.grant.number).add(request.grant.token).add(tried(request.repeated));
  command.add(times.keep.count()).add(mark(request.late_copy));
  if (place.has_permits()) command.add(request.stays);
  if (!request.holder.empty()) command.add(request.holder);
  return command;
}

RedisCommand renew_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                           const RenewRequest& request) {
  RedisCommand command = at_place(scripts.renew, place, place.process);
  command.add(request.grant.number).add(request.grant.token).add(request.lease.count()).add(times.keep.count());
  if (!request.holder.empty()) command.add(request.holder);
  return command;
}

RedisCommand cancel_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                            CancelRequest request, Trust trust) {
  RedisCommand command = at_place(scripts.cancel, place, place.process, place.inbox);
  add_trust(command, trust).add(request.number).add(times.keep.count()).add(mark(request.late_copy));
  return command;
}

RedisCommand pulse_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times, Trust trust,
                           std::span<const std::uint64_t> waiting) {
  RedisCommand command = at_place(scripts.pulse, place, place.process, place.inbox);
  add_trust(command, trust).add(times.waiter_lease.count()).add(times.keep.count());
  if (place.has_permits()) {
    for (const std::uint64_t one : waiting) command.add(one);
  }
  return command;
}

RedisCommand free_command(const FifoScripts& scripts, const FifoPlace& place, std::uint64_t token, Trust trust) {
  RedisCommand command = at_place(scripts.free, place, place.process, place.inbox);
  add_trust(command, trust).add(token);
  return command;
}

RedisCommand inspect_command(const FifoScripts& scripts, const FifoPlace& place) {
  return at_place(scripts.inspect, place);
}

RedisCommand capacity_command(const PermitScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                              std::uint32_t capacity, Trust trust) {
  RedisCommand command = at_place(scripts.capacity, place, place.process, place.inbox);
  add_trust(command, trust).add(capacity).add(times.keep.count());
  return command;
}

std::optional<AcquireReply> read_acquire(const RedisReply& reply, Milliseconds lease) {
  if (reply.is_integer()) {  // it was free
    return AcquireReply{
        .outcome = AcquireReply::Outcome::granted, .token = number(reply), .left = lease, .mine = number(reply)};
  }
  constexpr std::array<std::string_view, 7> words{"granted", "queued", "busy", "refused", "full", "weight", "capacity"};
  const auto outcome = outcome_of<AcquireReply::Outcome>(reply.at(0), words);
  if (!is_array_of(reply, 6) || !outcome) return {};
  return AcquireReply{.outcome = *outcome,
                      .token = number(reply.at(1)),
                      .left = time(reply.at(2)),
                      .ticket = number(reply.at(3)),
                      .before = number(reply.at(4)),
                      .sure = number(reply.at(5)) != 0,
                      .grants = grants(reply.at(6)),
                      .mine = number(reply.at(is_array_of(reply, 8) ? 7 : 1)),
                      .capacity = static_cast<std::uint32_t>(number(reply.at(8)))};
}

std::optional<ReleaseReply> read_release(const RedisReply& reply) {
  if (reply.is_integer()) return ReleaseReply{.outcome = ReleaseReply::Outcome::released, .token = number(reply)};
  constexpr std::array<std::string_view, 3> words{"released", "lost", "unknown"};
  const auto outcome = outcome_of<ReleaseReply::Outcome>(reply.at(0), words);
  if (!is_array_of(reply, 2) || !outcome) return {};
  return ReleaseReply{.outcome = *outcome, .token = number(reply.at(1)), .grants = grants(reply.at(2))};
}

std::optional<FreeReply> read_free(const RedisReply& reply) {
  constexpr std::array<std::string_view, 3> words{"freed", "not-held", "other-token"};
  const auto outcome = outcome_of<FreeOutcome>(reply.at(0), words);
  if (!is_array_of(reply, 2) || !outcome) return {};
  return FreeReply{.outcome = *outcome, .token = number(reply.at(1)), .grants = grants(reply.at(2))};
}

std::optional<RenewReply> read_renew(const RedisReply& reply) {
  if (!is_array_of(reply, 2) || !reply.at(0).is_integer()) return {};
  return RenewReply{.length = time(reply.at(0)), .token = number(reply.at(1))};
}

std::optional<CancelReply> read_cancel(const RedisReply& reply) {
  if (!is_array_of(reply, 2) || !reply.at(0).is_text()) return {};
  return CancelReply{.token = number(reply.at(1)), .grants = grants(reply.at(2))};
}

std::optional<CancelReply> read_capacity(const RedisReply& reply) {
  if (!is_array_of(reply, 2) || !reply.at(0).is_integer()) return {};
  return CancelReply{.token = number(reply.at(1)), .grants = grants(reply.at(2))};
}

std::optional<PulseReply> read_pulse(const RedisReply& reply) {
  if (!is_array_of(reply, 10) || !reply.at(0).is_integer()) return {};
  PulseReply read{.known = reply.at(0).integer != 0,
                  .token = number(reply.at(1)),
                  .left = time(reply.at(2)),
                  .owner = reply.at(3).text,
                  .sure = number(reply.at(4)) != 0,
                  .waiting = number(reply.at(5)),
                  .ticket = number(reply.at(6)),
                  .last_ticket = number(reply.at(9)),
                  .grants = grants(reply.at(7))};
  for (const RedisReply& one : reply.at(8).elements) {
    read.found.push_back({number(one.at(0)), number(one.at(1)), time(one.at(2)), number(one.at(3)) != 0});
  }
  return read;
}

std::optional<InspectReply> read_inspect(const RedisReply& reply) {
  if (!is_array_of(reply, 8) || !reply.at(0).is_text()) return {};
  return InspectReply{.owner = reply.at(0).text,
                      .token = number(reply.at(1)),
                      .left = time(reply.at(2)),
                      .head = number(reply.at(3)),
                      .tail = number(reply.at(4)),
                      .lapse = number(reply.at(5)),
                      .sure = number(reply.at(6)) != 0,
                      .waiting = number(reply.at(7))};
}

std::optional<SharesView> read_shares(const RedisReply& reply) {
  if (!is_array_of(reply, 7) || !reply.at(0).is_integer()) return {};
  SharesView view{.capacity = static_cast<std::uint32_t>(number(reply.at(0))),
                  .used = static_cast<std::uint32_t>(number(reply.at(1))),
                  .holders = static_cast<std::size_t>(number(reply.at(2))),
                  .waiting = static_cast<std::size_t>(number(reply.at(3)))};
  if (number(reply.at(4)) != 0) view.token = number(reply.at(4));
  if (view.holders > 0) view.expires_in = time(reply.at(5));
  return view;
}

std::optional<FifoGrant> read_message(std::string_view text) {
  std::array<std::uint64_t, 4> numbers{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto [stopped, error] = std::from_chars(at, end, numbers[i]);
    const bool last = i + 1 == numbers.size();
    if (error != std::errc{} || (last ? stopped != end : stopped == end || *stopped != ' ')) return {};
    at = last ? stopped : stopped + 1;
  }
  return FifoGrant{numbers[0], numbers[1], Milliseconds{numbers[2]}, numbers[3]};
}

std::optional<std::uint64_t> number_of(std::string_view owner, std::string_view process) {
  if (owner.size() <= process.size() + 1 || !owner.starts_with(process) || owner[process.size()] != ':') return {};
  std::uint64_t number = 0;
  const char* const end = owner.data() + owner.size();
  const auto [stopped, error] = std::from_chars(owner.data() + process.size() + 1, end, number);
  if (error != std::errc{} || stopped != end) return {};
  return number;
}

}  // namespace firstcome::lock
