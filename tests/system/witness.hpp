// What customers were told, kept outside the server, to be held against what it has after a crash.
#pragma once

#include "support/blocking_client.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::testing {

/// One customer's one request, and all it was told.
struct Promise {
  std::string sale;
  std::string customer;
  std::string key;
  unsigned status = 0;  ///< of the reservation; 0: no answer came
  std::string id;
  std::int64_t number = 0;
  std::string state;        ///< the last that was acknowledged
  std::string asked_state;  ///< where a later step was asked for and not answered: it may be this one too
};

/// Thread safety: all members from any thread.
class Witness {
 public:
  /// Asks for one unit, writes down the answer. False when the connection broke (the promise is then unanswered).
  bool reserve(BlockingClient& client, const std::string& sale, const std::string& customer, const std::string& key);
  /// Confirms or cancels one that is held, if there is one: `step` is "confirm" or "cancel". False when the connection
  /// broke.
  bool finish_one(BlockingClient& client, const std::string& step);
  /// Sends every unanswered request again with its key. Fails the test where one gets no answer.
  void repeat_unanswered(BlockingClient& client);
  /// Asks the server for each promise made since the last call, and holds its answer against what was told.
  void check_new(BlockingClient& client);
  /// Reads all reservations of a sale and checks that each customer has exactly what was told, once.
  void check_all(BlockingClient& client, const std::string& sale);

  std::size_t answered() const;

 private:
  struct Held {
    std::size_t promise;
    std::string id;
    std::string key;
  };

  /// One of the latest that are held and that nobody else works on; from now on it may be in `next_state`.
  std::optional<Held> take_held(const std::string& next_state);
  void note(std::size_t promise, const HttpAnswer& answer);

  mutable std::mutex mutex_;
  std::vector<Promise> promises_;
  std::size_t checked_ = 0;
};

/// Every item of a list, page by page.
std::vector<std::string> list_all(BlockingClient& client, const std::string& target);

}  // namespace firstcome::testing
