// An embedded engine driven without a server: by a thread that takes turns when operations wait or time says so.
#pragma once

#include "engine/embedded/embedded_engine.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace firstcome::engine {

/// Owns the engine and the thread. Operations are completed on that thread.
/// REQUIRES: nobody else sets the engine's `on_ready` or calls its `turn`.
class EngineThread {
 public:
  explicit EngineThread(std::unique_ptr<EmbeddedEngine> engine);
  /// Ends after the turn that runs; operations that still wait are completed with `stopping`, on the calling thread.
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  EmbeddedEngine& engine() { return *engine_; }

 private:
  void run();

  std::unique_ptr<EmbeddedEngine> engine_;
  std::mutex mutex_;  ///< protects what follows
  std::condition_variable wake_;
  bool ready_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace firstcome::engine
