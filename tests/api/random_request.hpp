// Random requests, made from openapi.yaml: values inside the bounds of each parameter and member, at them, just beyond
// them, and of other types.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <deque>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace firstcome::api::testing {

struct RandomRequest {
  std::string method;
  std::string pattern;  ///< the path as the contract has it
  std::string target;
  std::string body;
  std::vector<std::string> fields;
};

/// Not thread-safe. The same seed gives the same requests, as long as the same ids are learned.
class RequestMaker {
 public:
  explicit RequestMaker(std::uint64_t seed);

  RandomRequest next();
  /// Adds the id of a reservation that was made. A few hundred of the last ones are used.
  void learn(const std::string& reservation);
  /// The tag that was last seen of a sale.
  void learn_tag(const std::string& tag) { tag_ = tag; }

  bool chance(double share) { return std::uniform_real_distribution<>(0, 1)(random_) < share; }
  std::size_t below(std::size_t count) { return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_); }

 private:
  struct Operation {
    std::string method;
    std::string pattern;
    YAML::Node node;
  };

  template <class Texts>
  std::string one_of(const Texts& texts) {
    return std::string(*(std::begin(texts) + static_cast<std::ptrdiff_t>(below(std::size(texts)))));
  }
  std::string path_part(const Operation& operation);
  std::string query(const Operation& operation);
  /// A JSON text for a member called `name`.
  std::string value(YAML::Node schema, const std::string& name);
  std::string integer(const YAML::Node& schema, const std::string& name);
  std::string text(const YAML::Node& schema, const std::string& name);
  std::string object(const YAML::Node& schema);

  std::mt19937_64 random_;
  std::vector<Operation> operations_;
  std::deque<std::string> reservations_;
  std::string tag_ = "\"0\"";
};

/// The names of sales and of locks that requests use over and over.
std::span<const std::string_view> random_sales();
std::span<const std::string_view> random_locks();

}  // namespace firstcome::api::testing
