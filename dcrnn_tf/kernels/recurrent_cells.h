// One example's step of an LSTM or GRU, and its gradient. Vectors of the gates lie one after the other.

#ifndef DCRNN_TF_KERNELS_RECURRENT_CELLS_H_
#define DCRNN_TF_KERNELS_RECURRENT_CELLS_H_

#include <cstdint>

#include "activations.h"
#include "own_rows.h"

namespace dcrnn_tf {

// Where there was no step before, `recurrent` and `before` are not read.
struct Lstm {
  static constexpr int64_t kGates = 4;  // entry, forget, candidate, output
  static constexpr int64_t kKept = 4;   // the same
  static constexpr bool kHasRecurrentOffset = false;
  static constexpr bool kStateIsHidden = false;

  FOR_EACH_PROCESSOR
  static void Step(bool first, int64_t n, const float* __restrict input,
                   const float* __restrict offset, const float* __restrict recurrent,
                   const float* /* no recurrent offset */, const float* __restrict before,
                   float* __restrict hidden, float* __restrict state, float* __restrict kept) {
    for (int64_t i = 0; i < 4 * n; ++i) kept[i] = input[i] + offset[i];
    if (!first) {
      for (int64_t i = 0; i < 4 * n; ++i) kept[i] += recurrent[i];
    }
    for (int64_t i = 0; i < 2 * n; ++i) kept[i] = Sigmoid(kept[i]);
    for (int64_t i = 2 * n; i < 3 * n; ++i) kept[i] = Tanh(kept[i]);
    for (int64_t i = 3 * n; i < 4 * n; ++i) kept[i] = Sigmoid(kept[i]);
    for (int64_t i = 0; i < n; ++i) state[i] = kept[i] * kept[2 * n + i];
    if (!first) {
      for (int64_t i = 0; i < n; ++i) state[i] = kept[n + i] * before[i] + state[i];
    }
    for (int64_t i = 0; i < n; ++i) hidden[i] = kept[3 * n + i] * Tanh(state[i]);
  }

  FOR_EACH_PROCESSOR
  static void Gradient(bool first, int64_t n, const float* __restrict by_hidden,
                       const float* __restrict by_state, const float* __restrict kept,
                       const float* __restrict before, const float* __restrict state,
                       float* __restrict by_input, float* __restrict by_recurrent,
                       float* __restrict by_before) {
    for (int64_t i = 0; i < n; ++i) {
      const float entry = kept[i], forget = kept[n + i], candidate = kept[2 * n + i];
      const float output = kept[3 * n + i], squashed = Tanh(state[i]);
      const float by_new = by_state[i] + by_hidden[i] * output * (1.0f - squashed * squashed);
      by_input[i] = by_new * candidate * entry * (1.0f - entry);
      by_input[2 * n + i] = by_new * entry * (1.0f - candidate * candidate);
      by_input[3 * n + i] = by_hidden[i] * squashed * output * (1.0f - output);
      by_before[i] = by_new * forget;
    }
    if (first) {
      for (int64_t i = n; i < 2 * n; ++i) by_input[i] = 0.0f;
    } else {
      for (int64_t i = 0; i < n; ++i) {
        const float forget = kept[n + i];
        by_input[n + i] = by_before[i] * before[i] * (1.0f - forget);
      }
    }
    for (int64_t i = 0; i < 4 * n; ++i) by_recurrent[i] = by_input[i];
  }
};

struct Gru {
  static constexpr int64_t kGates = 3;  // update, reset, candidate
  static constexpr int64_t kKept = 4;   // the same, and the candidate's recurrent sum
  static constexpr bool kHasRecurrentOffset = true;
  static constexpr bool kStateIsHidden = true;

  FOR_EACH_PROCESSOR
  static void Step(bool first, int64_t n, const float* __restrict input,
                   const float* __restrict offset, const float* __restrict recurrent,
                   const float* __restrict recurrent_offset, const float* __restrict before,
                   float* __restrict hidden, float* /* the state is `hidden` */,
                   float* __restrict kept) {
    float* const sum = kept + 3 * n;
    for (int64_t i = 0; i < 2 * n; ++i) kept[i] = recurrent_offset[i];
    for (int64_t i = 0; i < n; ++i) sum[i] = recurrent_offset[2 * n + i];
    if (!first) {
      for (int64_t i = 0; i < 2 * n; ++i) kept[i] = recurrent[i] + kept[i];
      for (int64_t i = 0; i < n; ++i) sum[i] = recurrent[2 * n + i] + sum[i];
    }
    for (int64_t i = 0; i < 2 * n; ++i) kept[i] = Sigmoid(input[i] + offset[i] + kept[i]);
    for (int64_t i = 0; i < n; ++i) {
      const float update = kept[i];
      const float candidate = Tanh(input[2 * n + i] + offset[2 * n + i] + kept[n + i] * sum[i]);
      kept[2 * n + i] = candidate;
      hidden[i] = (1.0f - update) * candidate;
    }
    if (!first) {
      for (int64_t i = 0; i < n; ++i) hidden[i] = kept[i] * before[i] + hidden[i];
    }
  }

  FOR_EACH_PROCESSOR
  static void Gradient(bool first, int64_t n, const float* __restrict by_hidden,
                       const float* __restrict by_state, const float* __restrict kept,
                       const float* __restrict before, const float* /* the new state */,
                       float* __restrict by_input, float* __restrict by_recurrent,
                       float* __restrict by_before) {
    for (int64_t i = 0; i < n; ++i) {
      const float update = kept[i], reset = kept[n + i], candidate = kept[2 * n + i];
      const float by_new = by_hidden[i] + by_state[i];
      const float by_candidate = by_new * (1.0f - update) * (1.0f - candidate * candidate);
      by_input[i] = -by_new * candidate * update * (1.0f - update);
      by_input[n + i] = by_candidate * kept[3 * n + i] * reset * (1.0f - reset);
      by_input[2 * n + i] = by_candidate;
      by_recurrent[2 * n + i] = by_candidate * reset;
      by_before[i] = by_new * update;
    }
    if (!first) {
      for (int64_t i = 0; i < n; ++i) by_input[i] += by_before[i] * before[i] * (1.0f - kept[i]);
    }
    for (int64_t i = 0; i < 2 * n; ++i) by_recurrent[i] = by_input[i];
  }
};

}  // namespace dcrnn_tf

#endif  // DCRNN_TF_KERNELS_RECURRENT_CELLS_H_
