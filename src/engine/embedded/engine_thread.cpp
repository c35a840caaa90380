#include "engine/embedded/engine_thread.hpp"

#include <utility>

namespace firstcome::engine {

EngineThread::EngineThread(std::unique_ptr<EmbeddedEngine> engine) : engine_(std::move(engine)) {
  engine_->on_ready([this] {
    {
      const std::lock_guard lock(mutex_);
      ready_ = true;
    }
    wake_.notify_one();
  });
  thread_ = std::thread([this] { run(); });
}

EngineThread::~EngineThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  engine_.reset();  // while what `on_ready` uses is still there
}

void EngineThread::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    ready_ = false;
    lock.unlock();
    const auto next = engine_->turn();
    lock.lock();
    const auto woken = [this] { return ready_ || stopping_; };
    if (next) {
      wake_.wait_until(lock, *next, woken);
    } else {
      wake_.wait(lock, woken);
    }
  }
}

}  // namespace firstcome::engine
