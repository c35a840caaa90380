// One question to several servers, one after the other, until one gives an answer that is of use. Internal: how the
// master is found through sentinels, and the slots through nodes of a cluster.
#pragma once

#include "net/redis/connection.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::net {

/// On the executor's thread only. May be destroyed at any time, also from its own callbacks, which then stay silent.
class RedisInquiry {
 public:
  RedisInquiry(IoExecutor executor, RedisOptions options);
  ~RedisInquiry();
  RedisInquiry(const RedisInquiry&) = delete;
  RedisInquiry& operator=(const RedisInquiry&) = delete;

  /// Returns why the answer is of no use; empty: it is, and no other server is asked.
  using Accept = std::move_only_function<std::string(const RedisReply& reply, const RedisAddress& from)>;
  /// Why no answer was accepted: the last server's failure, `not_sent`, or that of one that denied us, which is more
  /// telling. No detail: one was.
  using Finished = std::move_only_function<void(const RedisFailure& problem)>;

  /// `finished` is called once, later. REQUIRES: none runs, and there are endpoints.
  void start(std::vector<RedisEndpoint> endpoints, RedisCommand command, Accept accept, Finished finished);
  bool is_running() const;

 private:
  struct Run;
  IoExecutor executor_;
  RedisOptions options_;
  std::shared_ptr<Run> run_;
};

}  // namespace firstcome::net
