// What tests of engines share: asking and waiting for the answer, a clock of their own, a folder of their own.
#pragma once

#include <firstcome/engine.hpp>

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace firstcome::test {

/// An operation that tells when it was completed.
struct Asked : Operation {
  void completed() noexcept override { done = true; }
  std::atomic<bool> done = false;

  /// REQUIRES: done, and an outcome was given.
  template <class A>
  const A& as() const {
    return std::get<A>(answer.value());
  }
};

/// A folder that goes with the test.
class TemporaryFolder {
 public:
  enum class Where { disk, memory };
  explicit TemporaryFolder(Where where = Where::disk) {
    const bool in_memory = where == Where::memory && std::filesystem::exists("/dev/shm");
    std::string name =
        (in_memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) / "firstcome-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Time that passes only when told to.
class ManualClock {
 public:
  Instant now() const { return Instant{Milliseconds{*milliseconds_}}; }
  void advance(Milliseconds by) { *milliseconds_ += by.count(); }
  auto function() const {
    return [shared = milliseconds_] { return Instant{Milliseconds{*shared}}; };
  }

 private:
  std::shared_ptr<std::atomic<std::int64_t>> milliseconds_ =
      std::make_shared<std::atomic<std::int64_t>>(1'790'000'000'000);
};

/// What a customer's key is hashed to, or something like it.
inline KeyHash key_of(std::string_view customer) { return {std::hash<std::string_view>{}(customer), 1}; }

inline SaleTerms terms_of(std::string id, Units stock) {
  SaleTerms terms;
  terms.id = id;
  terms.name = std::move(id);
  terms.stock = stock;
  terms.unit_price = 1'000;
  return terms;
}

}  // namespace firstcome::test
