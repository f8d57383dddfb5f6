#pragma once
// The anomalies, each as a script of two transactions. The names G0 to G2 are Adya's (1999); the
// way of writing them down is that of Kleppmann's Hermitage. The same for all variants.

#include <vector>

#include "script.h"

namespace isolation_matrix {

/// accounts(id, balance), as it is when a script begins: (1, 10), (2, 20).
const std::vector<std::string>& reset_accounts();

const std::vector<Script>& scripts();

}  // namespace isolation_matrix
