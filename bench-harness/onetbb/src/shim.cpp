// A C face of oneTBB's flow graph: continue nodes that call back, and edges between them.
//
// Every function is `noexcept`: what throws here, as want of memory does, ends the process rather
// than unwind into Rust.

#include <cstddef>
#include <deque>

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/version.h>

namespace {

using Message = tbb::flow::continue_msg;
using Node = tbb::flow::continue_node<Message>;
using Call = void (*)(const void *);

struct Pool {
    // Otherwise there are never more threads than cores, however many an arena has room for.
    tbb::global_control threads;
    tbb::task_arena arena;

    explicit Pool(std::size_t workers)
        : threads(tbb::global_control::max_allowed_parallelism, workers),
          arena(static_cast<int>(workers)) {}
};

struct Graph {
    Pool &pool;
    tbb::flow::graph graph;
    // A node cannot be moved once it is in the graph; a deque never moves what it holds.
    std::deque<Node> nodes;
    std::deque<bool> is_root;
    std::deque<Node *> roots;

    explicit Graph(Pool &pool) : pool(pool) {}
};

} // namespace

extern "C" {

const char *onetbb_version() noexcept { return TBB_runtime_version(); }

Pool *onetbb_pool_new(std::size_t workers) noexcept { return new Pool(workers); }

void onetbb_pool_drop(Pool *pool) noexcept { delete pool; }

Graph *onetbb_graph_new(Pool *pool) noexcept {
    // A graph's tasks go to the arena it is made in.
    return pool->arena.execute([pool] { return new Graph(*pool); });
}

void onetbb_graph_drop(Graph *graph) noexcept {
    graph->pool.arena.execute([graph] { delete graph; });
}

void onetbb_graph_node(Graph *graph, Call call, const void *data) noexcept {
    graph->nodes.emplace_back(graph->graph, [call, data](const Message &) { call(data); });
    graph->is_root.push_back(true);
}

void onetbb_graph_edge(Graph *graph, std::size_t from, std::size_t to) noexcept {
    tbb::flow::make_edge(graph->nodes[from], graph->nodes[to]);
    graph->is_root[to] = false;
}

void onetbb_graph_seal(Graph *graph) noexcept {
    for (std::size_t node = 0; node < graph->nodes.size(); ++node) {
        if (graph->is_root[node]) {
            graph->roots.push_back(&graph->nodes[node]);
        }
    }
}

void onetbb_graph_run(Graph *graph) noexcept {
    graph->pool.arena.execute([graph] {
        for (Node *root : graph->roots) {
            root->try_put(Message());
        }
        graph->graph.wait_for_all();
    });
}
}
