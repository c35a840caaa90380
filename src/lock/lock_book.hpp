// Who holds which name until when, and who waits for it: the books of the lock service, kept by whoever stores them.
//
// A synchronous, deterministic state machine, like the ledger: it reads no clock and does no I/O. A holder is named by
// a lease, text of the client's own choice, so that the same request again finds what the first one did. Grants are
// stored; those who wait are not, since none of them was told anything yet.
//
// Invariants
//   - at most one lease holds a name; it ends by its own release or at its end, judged at the decision
//   - tokens rise with every grant, over all names and restarts
//   - strictly first come, first served: while somebody waits, a newcomer waits behind
#pragma once

#include <firstcome/lock.hpp>
#include <firstcome/types.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace firstcome::lock {

/// A grant as it is stored.
struct BookedGrant {
  std::string name;
  std::string lease;
  std::uint64_t token = 0;
  Instant until;          ///< it holds while now < until
  Milliseconds length{};  ///< from each renewal on

  bool operator==(const BookedGrant&) const = default;
};

/// Names one who waits, from 1.
enum class Waiting : std::uint64_t {};

/// Not thread-safe. Cost: O(log n) a command, n names held.
class LockBook {
 public:
  struct Ask {
    std::string name;
    std::string lease;
    Milliseconds length{};      ///< REQUIRES: more than 0
    Milliseconds wait{};        ///< 0: does not wait
    std::uint64_t request = 0;  ///< tells requests of one lease apart, for `leave`
  };
  struct Answer {
    enum class Is : std::uint8_t {
      granted,  ///< `grant`; the same lease again gets the grant that it has
      waits,    ///< `waiting`; `take_news` will tell
      locked,   ///< held by another, or others wait
      full,     ///< as many wait, or are held, as may
    };
    Is is = Is::locked;
    const BookedGrant* grant = nullptr;  ///< valid until the next call
    Waiting waiting{};
    Milliseconds retry_in{};  ///< locked: until the present grant ends at the latest
  };
  /// What became of one who waited. `grant`: nothing where the wait was over first; valid until the next call that
  /// takes an instant.
  struct News {
    Waiting waiting{};
    std::optional<BookedGrant> grant;
    Milliseconds retry_in{};
  };
  /// What happened, for metrics.
  struct Event {
    enum class Is : std::uint8_t {
      acquired,      ///< `after`: the wait
      not_acquired,  ///< `why`; `after`: the wait
      released,      ///< `after`: the hold; none for a grant of an earlier run
      lapsed,        ///< ended, or was freed, before its holder released it; `after` as for `released`
      renewed,       ///< `after`: past a third of its length since the grant or the last renewal; not less than 0
      not_renewed,   ///< a lease that does not hold the name
    };
    Is is = Is::acquired;
    std::string name;
    std::optional<Milliseconds> after = {};
    NotAcquired::Why why = NotAcquired::Why::timed_out;
  };
  struct View {
    const BookedGrant* grant = nullptr;  ///< null: free
    std::size_t waiting = 0;
  };

  /// At most so many wait, and at most so many names are held at a time.
  explicit LockBook(std::size_t most_waiting, std::size_t most_held = static_cast<std::size_t>(-1))
      : most_waiting_(most_waiting), most_held_(most_held) {}

  // REQUIRES for all: now is not before that of any earlier call.

  Answer acquire(const Ask& ask, Instant now);
  /// Prolongs by the grant's length. Null: that lease does not hold the name. Valid until the next call.
  const BookedGrant* renew(std::string_view name, std::string_view lease, Instant now);
  /// False: that lease does not hold the name.
  bool release(std::string_view name, std::string_view lease, Instant now);
  /// Ends the grant with this token, whoever holds it. False: the name is not held by a grant with this token.
  bool free(std::string_view name, std::uint64_t token, Instant now);
  View inspect(std::string_view name, Instant now);
  /// Gives up waiting, which `take_news` tells. Of a lease that does not wait, or that waits by another request by now:
  /// nothing. `request` 0: whichever request waits.
  void leave(std::string_view name, std::string_view lease, std::uint64_t request, Instant now);
  /// Everybody gives up waiting, for `why`, which `take_news` does not tell. Nothing lapses.
  void drop_waiters(NotAcquired::Why why, Instant now);

  enum class Due : std::uint8_t { nothing, more };
  static constexpr std::size_t all_steps = static_cast<std::size_t>(-1);
  /// Ends what has lapsed and waits that are over, in the order of time, at most `steps` of them. `more`: some are
  /// left. Every command does the rest first, so whoever wants a bound asks for nothing while there is more.
  Due advance(Instant now, std::size_t steps = all_steps);
  std::optional<Instant> next_deadline() const;

  /// What became of those who waited, in the order in which it happened. Those who asked first come first.
  std::vector<News> take_news() { return std::exchange(news_, {}); }
  /// What happened, in order. They gather until they are taken.
  std::vector<Event> take_events() { return std::exchange(events_, {}); }

  // --- storing and building again ---

  /// Names whose stored grant is no longer what `stored` says, each once.
  const std::set<std::string, std::less<>>& changed() const { return changed_; }
  void clear_changed() { changed_.clear(); }
  /// Null: nothing is to be stored of that name.
  const BookedGrant* stored(std::string_view name) const;

  /// The token of the last grant, of whatever name; to be stored with every change.
  std::uint64_t last_token() const { return last_token_; }

  /// REQUIRES: a new book.
  void restore(BookedGrant grant);
  void restore_last_token(std::uint64_t token) { last_token_ = token; }

  std::size_t held() const { return held_; }
  std::size_t waiting() const { return waiters_.size(); }

 private:
  static std::string key_of(std::string_view name, std::string_view lease);

  struct Waiter {
    Waiting id{};
    std::string name;
    std::string lease;
    Milliseconds length{};
    std::uint64_t request = 0;
    Instant since;
    Instant until;
    std::list<Waiting>::iterator place;
  };
  struct Entry {
    std::optional<BookedGrant> grant;
    std::optional<Instant> since = {};  ///< of the grant; none where an earlier run made it
    std::list<Waiting> line = {};
  };
  using Entries = std::map<std::string, Entry, std::less<>>;
  using End = std::pair<Instant, std::string>;        ///< of a name's grant
  using GivesUp = std::pair<Instant, std::uint64_t>;  ///< the end of a wait

  std::uint64_t mint(Instant now);
  /// `ask`'s wait is not looked at.
  const BookedGrant& grant(const Ask& ask, Entry& entry, Instant asked, Instant now);
  void end(Entries::iterator at, Event::Is how, Instant now);
  void serve_next(Entries::iterator at, Instant now);
  Answer join(const Ask& ask, Entries::iterator at, Instant now);
  void give_up(Waiter& waiter, NotAcquired::Why why, Instant now);
  void end_wait(Waiter& waiter, Instant now);
  void remove(Waiter& waiter);
  BookedGrant* held_by(std::string_view name, std::string_view lease);

  std::size_t most_waiting_;
  std::size_t most_held_;
  std::uint64_t last_token_ = 0;
  std::uint64_t last_waiting_ = 0;
  std::size_t held_ = 0;
  Entries entries_;  ///< of names that are held
  std::unordered_map<std::uint64_t, Waiter> waiters_;
  std::unordered_map<std::string, Waiting> by_lease_;  ///< of those who wait
  std::set<End> ends_;
  std::set<GivesUp> give_ups_;
  std::set<std::string, std::less<>> changed_;
  std::vector<News> news_;
  std::vector<Event> events_;
};

}  // namespace firstcome::lock
