#include "rush/progress.hpp"

#include "rush/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace firstcome::rush {

std::string progress_line(const Progress& progress) {
  const CrowdFigures& figures = *progress.figures;
  const SaleSeen& sale = *progress.sale;
  double seconds = std::chrono::duration<double>{progress.elapsed}.count();
  std::string stock = fmt::format("available {}, held {}, sold {} of {}", grouped(sale.available), grouped(sale.held),
                                  grouped(sale.sold), grouped(sale.stock));
  if (progress.phase == Progress::Phase::settling)
    return fmt::format("{:6.1f} s  {}: waiting for {} held units to end, {} in the queue | {}", seconds, sale.id,
                       grouped(sale.held), grouped(sale.queued), stock);
  return fmt::format(
      "{:6.1f} s  {}: {} of {} clicks came, {} in the queue, {} have their final answer | {} | {} requests/s", seconds,
      sale.id, grouped(figures.clicks), grouped(progress.clicks_in_all), grouped(figures.waiting),
      grouped(figures.finished), stock, grouped(static_cast<std::int64_t>(progress.requests_per_second)));
}

ProgressPrinter::ProgressPrinter(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) == 1) {}

ProgressPrinter::~ProgressPrinter() {
  if (line_open_) fmt::print(out_, "\n");
}

void ProgressPrinter::show(const Progress& progress) {
  // \r and "erase to the end of the line"
  fmt::print(out_, fmt::runtime(terminal_ ? "\r{}\x1b[K" : "{}\n"), progress_line(progress));
  std::fflush(out_);
  line_open_ = terminal_;
}

Milliseconds ProgressPrinter::every() const { return Milliseconds{terminal_ ? 200 : 1'000}; }

}  // namespace firstcome::rush
