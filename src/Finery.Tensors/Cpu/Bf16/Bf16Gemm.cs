using System.Runtime.CompilerServices;

namespace Finery.Tensors;

/// <summary>A matrix of F32 or BF16 in memory by its two strides in elements, of which one is 1.</summary>
internal readonly unsafe struct Bf16Operand(void* data, DType type, long rowStride, long columnStride)
{
    public readonly DType Type = type;
    public readonly long RowStride = rowStride;
    public readonly long ColumnStride = columnStride;

    public Bf16Operand Transposed => new(data, Type, ColumnStride, RowStride);

    public void* At(long row, long column) => (byte*)data + (row * RowStride + column * ColumnStride) * Type.ByteSize();
}

/// <summary>
/// Matrix product with bfloat16 operands and single-precision sums, on the assembled micro-kernel: blocked as <see cref="Gemm"/> is.
/// Operands in F32 are rounded to nearest even while they are packed.
/// </summary>
/// <remarks>An element of C is the sum over blocks of the inner dimension, which depend on that dimension alone: the same bits for any
/// number of threads, and a row's for any number of other rows.</remarks>
internal sealed unsafe class Bf16Gemm : IDisposable
{
    private const int Rows = Bf16Assembler.Rows, Columns = Bf16Assembler.Columns;

    // Steps of the inner dimension at once: 192 pairs, so that a panel of B (24 KiB) stays in the L1 cache.
    private const int BlockSteps = 384;

    // Rows of A in a tile: with BlockSteps 147 KiB of pairs, inside an L2 cache.
    private const int TileRows = 14 * Rows;

    // Pairs of packed B at once (8 MiB): stays in the L3 cache.
    private const int PanelBudget = 2 << 20;

    // At most this many rows of A make the product bound by reading B, which is then not worth packing for all threads.
    private const int FewRows = Rows;

    private readonly WorkerPool _pool;
    private readonly delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void> _kernel;
    private readonly Scratch _panels = new();
    private readonly Scratch[] _local;

    /// <summary>Products on the assembled kernel.</summary>
    /// <exception cref="PlatformNotSupportedException">It is not supported here; the message says why.</exception>
    public Bf16Gemm(WorkerPool pool) : this(pool, Bf16MicroKernel.Run)
    {
    }

    /// <summary>Products on another implementation of the micro-kernel.</summary>
    internal Bf16Gemm(WorkerPool pool, delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void> kernel)
    {
        _pool = pool;
        _kernel = kernel;
        _local = new Scratch[pool.Threads];
        for (int i = 0; i < _local.Length; i++) _local[i] = new Scratch();
    }

    /// <summary>Whether this processor and system run the kernel: see <see cref="Bf16MicroKernel.UnsupportedReason"/>.</summary>
    public static bool IsSupported => Bf16MicroKernel.IsSupported;

    /// <summary><c>C = A B</c>, or <c>C += A B</c>.</summary>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Columns of B and C.</param>
    /// <param name="k">Columns of A and rows of B; 0 makes the product 0.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n], row-major with <paramref name="cRow"/> floats a row; apart from A and B.</param>
    /// <param name="cRow">Row stride of C.</param>
    /// <param name="add">Whether to add to C.</param>
    public void Multiply(int m, int n, int k, Bf16Operand a, Bf16Operand b, float* c, long cRow, bool add)
    {
        if (m == 0 || n == 0) return;
        if (k == 0)
        {
            for (int i = 0; i < m && !add; i++) new Span<float>(c + i * cRow, n).Clear();
            return;
        }
        var product = new Product(m, n, k, a, b, c, cRow, add, _kernel);
        if (m <= FewRows) _pool.For(Blocks(n, Columns), new ComputeFewRows(product, _local));
        else MultiplyTiles(product);
    }

    public void Dispose()
    {
        _panels.Dispose();
        foreach (var scratch in _local) scratch.Dispose();
    }

    private void MultiplyTiles(in Product product)
    {
        int block = product.Block;
        int groupColumns = Math.Min(Blocks(product.N, Columns), Math.Max(1, PanelBudget / (block / 2 * Columns))) * Columns;
        int groupSteps = block * Math.Max(1, PanelBudget / (block / 2 * groupColumns));
        for (int column = 0; column < product.N; column += groupColumns)
        {
            int columns = Math.Min(groupColumns, product.N - column), panels = Blocks(columns, Columns);
            for (int step = 0; step < product.K; step += groupSteps)
            {
                int steps = Math.Min(groupSteps, product.K - step);
                uint* packed = (uint*)_panels.Floats((long)Bf16Panels.Pairs(steps) * panels * Columns);
                var group = new Group(column, columns, step, steps, packed);
                _pool.For(panels * Blocks(steps, block), new PackPanels(product, group, _local));

                // Tiles of a size that keeps the threads equally busy; results do not depend on it.
                int tileRows = Math.Min(TileRows / Rows, Blocks(product.M, Rows)), tilePanels = panels;
                while (Blocks(product.M, tileRows * Rows) * Blocks(panels, tilePanels) < 6 * _pool.Threads && _pool.Threads > 1)
                {
                    if (tilePanels > 8) tilePanels = (tilePanels + 1) / 2;
                    else if (tileRows > 4) tileRows = (tileRows + 1) / 2;
                    else break;
                }
                int tiles = Blocks(product.M, tileRows * Rows) * Blocks(panels, tilePanels);
                _pool.For(tiles, new ComputeTiles(product, group, tileRows * Rows, tilePanels, _local));
            }
        }
    }

    private static int Blocks(int length, int size) => (length + size - 1) / size;

    /// <summary>The part of B that is packed at a time: panels of a block lie together, blocks one after another.</summary>
    private readonly struct Group(int column, int columns, int step, int steps, uint* packed)
    {
        public readonly int Column = column, Columns = columns, Step = step, Steps = steps;

        /// <summary>Where the panel of <paramref name="panel"/> in the block from <paramref name="first"/> (even) begins.</summary>
        public uint* Panel(int first, int length, int panel) =>
            packed + (long)(first / 2) * Blocks(Columns, Bf16Gemm.Columns) * Bf16Gemm.Columns
            + (long)panel * Bf16Gemm.Columns * Bf16Panels.Pairs(length);
    }

    /// <summary>The whole problem.</summary>
    private readonly struct Product(
        int m, int n, int k, Bf16Operand a, Bf16Operand b, float* c, long cRow, bool add,
        delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void> kernel)
    {
        public readonly int M = m, N = n, K = k;

        /// <summary>Length of a block of the inner dimension: equal blocks of at most <see cref="BlockSteps"/>, a multiple of 8.</summary>
        public int Block => (Blocks(K, Blocks(K, BlockSteps)) + 7) / 8 * 8;

        /// <summary>Floats that packing one panel of <see cref="Block"/> steps may use besides the panel.</summary>
        public long RowFloats => (long)Columns * (Block / 2);

        /// <summary>Packs a group of rows of A.</summary>
        public void PackA(int row, int step, int steps, uint* panel, uint* rows) =>
            Pack(a.At(row, step), a.Type, a.RowStride, a.ColumnStride, Math.Min(Rows, M - row), steps, panel, Rows, rows);

        /// <summary>Packs a group of columns of B.</summary>
        public void PackB(int column, int step, int steps, uint* panel, uint* rows) =>
            Pack(b.At(step, column), b.Type, b.ColumnStride, b.RowStride, Math.Min(Columns, N - column), steps, panel, Columns, rows);

        /// <summary>Computes the part of one kernel tile at (row, column) that lies inside C.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Tile(uint* left, uint* right, int step, int steps, int row, int column)
        {
            float* tile = c + row * cRow + column;
            bool adds = add || step > 0;
            if (row + Rows <= M && column + Columns <= N)
                kernel(left, right, Bf16Panels.Pairs(steps), tile, (nint)cRow * sizeof(float), adds ? 1 : 0);
            else
                Edge(left, right, steps, tile, adds, Math.Min(Rows, M - row), Math.Min(Columns, N - column));
        }

        private void Edge(uint* left, uint* right, int steps, float* tile, bool adds, int rows, int columns)
        {
            float* whole = stackalloc float[Rows * Columns];
            kernel(left, right, Bf16Panels.Pairs(steps), whole, Columns * sizeof(float), 0);
            for (int i = 0; i < rows; i++)
            {
                float* from = whole + i * Columns, to = tile + i * cRow;
                for (int j = 0; j < columns; j++) to[j] = adds ? from[j] + to[j] : from[j];
            }
        }

        private static void Pack(
            void* source, DType type, long lane, long step, int lanes, int steps, uint* panel, int width, uint* rows)
        {
            if (type == DType.BF16) Bf16Panels.Pack((BFloat16Element*)source, lane, step, lanes, steps, panel, width, rows);
            else Bf16Panels.Pack((FloatElement*)source, lane, step, lanes, steps, panel, width, rows);
        }
    }

    /// <summary>Packs one panel of one block of B.</summary>
    private readonly struct PackPanels(Product product, Group group, Scratch[] local) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            int panels = Blocks(group.Columns, Columns), block = product.Block, panel = task % panels;
            int first = task / panels * block, length = Math.Min(block, group.Steps - first);
            uint* rows = (uint*)local[worker].Floats(product.RowFloats);
            product.PackB(group.Column + panel * Columns, group.Step + first, length, group.Panel(first, length, panel), rows);
        }
    }

    /// <summary>Computes one tile of C from packed panels, packing its rows of A.</summary>
    private readonly struct ComputeTiles(Product product, Group group, int tileRows, int tilePanels, Scratch[] local) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            int block = product.Block, panels = Blocks(group.Columns, Columns), rowTiles = Blocks(product.M, tileRows);
            int row = task % rowTiles * tileRows, end = Math.Min(product.M, row + tileRows);
            int firstPanel = task / rowTiles * tilePanels, lastPanel = Math.Min(panels, firstPanel + tilePanels);
            long packed = (long)tileRows * (block / 2);
            uint* a = (uint*)local[worker].Floats(packed + product.RowFloats);
            for (int first = 0; first < group.Steps; first += block)
            {
                int length = Math.Min(block, group.Steps - first), pairs = Bf16Panels.Pairs(length);
                for (int i = row; i < end; i += Rows)
                    product.PackA(i, group.Step + first, length, a + (long)(i - row) * pairs, a + packed);
                for (int panel = firstPanel; panel < lastPanel; panel++)
                {
                    uint* b = group.Panel(first, length, panel);
                    for (int i = row; i < end; i += Rows)
                        product.Tile(a + (long)(i - row) * pairs, b, group.Step + first, length, i, group.Column + panel * Columns);
                }
            }
        }
    }

    /// <summary>Computes one panel's columns for rows of one tile: packs the panel for itself.</summary>
    private readonly struct ComputeFewRows(Product product, Scratch[] local) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            int block = product.Block, column = task * Columns;
            long panel = (long)Columns * (block / 2), rows = (long)Rows * (block / 2);
            uint* b = (uint*)local[worker].Floats(panel + rows + product.RowFloats), a = b + panel;
            for (int step = 0; step < product.K; step += block)
            {
                int length = Math.Min(block, product.K - step);
                product.PackA(0, step, length, a, a + rows);
                product.PackB(column, step, length, b, a + rows);
                product.Tile(a, b, step, length, 0, column);
            }
        }
    }
}
