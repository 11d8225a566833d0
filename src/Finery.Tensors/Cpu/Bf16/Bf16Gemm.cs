using System.Runtime.CompilerServices;

namespace Finery.Tensors;

/// <summary>
/// Matrix product with bfloat16 operands and single-precision sums, on the assembled micro-kernel: blocked as <see cref="Gemm"/> is, but
/// with both operands packed. Operands in F32 are rounded to nearest even while they are packed, results in BF16 once at the end.
/// </summary>
/// <remarks>An element of C is the sum over blocks of the inner dimension, which depend on that dimension alone: the same bits for any
/// number of threads, and a row's for any number of other rows.</remarks>
internal sealed unsafe class Bf16Gemm : IDisposable
{
    private const int Rows = Bf16Assembler.Rows, Columns = Bf16Assembler.Columns;

    // Steps of the inner dimension at once: 192 pairs, so that a panel of B (24 KiB) stays in the L1 cache.
    private const int BlockSteps = 384;

    // Groups of rows in a tile: with BlockSteps 147 KiB of pairs, inside an L2 cache.
    private const int TileGroups = 14;

    // Panels in a tile whose sums are kept until they are rounded: with TileGroups 392 KiB.
    private const int SummedPanels = 16;

    // Pairs of packed B at once (8 MiB): stays in the L3 cache.
    private const int PanelBudget = 2 << 20;

    // Pairs of packed A at once (32 MiB): packing B again for the next rows is then a small part of the work.
    private const int GroupBudget = 8 << 20;

    // At most this many rows of A make the product bound by reading B, which is then not worth packing for all threads.
    private const int FewRows = Rows;

    private readonly WorkerPool _pool;
    private readonly delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void> _kernel;
    private readonly Scratch _panels = new();
    private readonly Scratch _groups = new();
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

    /// <summary>Bytes of scratch memory held.</summary>
    public long ScratchBytes => _panels.Bytes + _groups.Bytes + _local.Sum(scratch => scratch.Bytes);

    /// <summary><c>C = A B</c>, <c>C += A B</c> or <c>C = A B + addend</c>.</summary>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Columns of B and C.</param>
    /// <param name="k">Columns of A and rows of B; 0 makes the product 0.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n], row-major; apart from A and B. BF16 is rounded once, from the whole sum.</param>
    /// <param name="add">Whether to add to C.</param>
    /// <param name="addend">[m, n] in F32, row-major as wide as C, added to the product; null for none.</param>
    public void Multiply(int m, int n, int k, StridedMatrix a, StridedMatrix b, StridedMatrix c, bool add, float* addend = null)
    {
        if (m == 0 || n == 0) return;
        var product = new Product(m, n, k, a, b, c, add, addend, _kernel);
        if (m <= FewRows) _pool.For(Blocks(n, Columns), new ComputeFewRows(product, _local));
        else MultiplyTiles(product);
    }

    public void Dispose()
    {
        _panels.Dispose();
        _groups.Dispose();
        foreach (var scratch in _local) scratch.Dispose();
    }

    private void MultiplyTiles(in Product product)
    {
        int block = product.Block;
        // Rounded results need all steps of an element at once.
        int partSteps = product.IsRounded ? product.K : block * Math.Max(1, PanelBudget / (block / 2 * Blocks(product.N, Columns) * Columns));
        int partPairs = Bf16Panels.Pairs(Math.Max(1, Math.Min(product.K, partSteps)));
        int partColumns = Math.Max(1, Math.Min(Blocks(product.N, Columns), PanelBudget / (partPairs * Columns))) * Columns;
        int partRows = Math.Max(1, Math.Min(Blocks(product.M, Rows), GroupBudget / (partPairs * Rows))) * Rows;
        for (int row = 0; row < product.M; row += partRows)
        {
            for (int column = 0; column < product.N; column += partColumns)
            {
                for (int step = 0; step < Math.Max(1, product.K); step += Math.Max(1, partSteps))
                    MultiplyPart(product, row, partRows, column, partColumns, step, partSteps);
            }
        }
    }

    private void MultiplyPart(in Product product, int row, int rows, int column, int columns, int step, int steps)
    {
        (rows, columns) = (Math.Min(rows, product.M - row), Math.Min(columns, product.N - column));
        steps = Math.Min(steps, product.K - step);
        int groups = Blocks(rows, Rows), panels = Blocks(columns, Columns), blocks = Blocks(steps, product.Block);
        long pairs = Bf16Panels.Pairs(steps);
        var part = new Part(
            row, groups, column, panels, step, steps, product.Block,
            (uint*)_groups.Floats((pairs * Rows + (long)blocks * Panels.Overrun) * groups), (uint*)_panels.Floats(pairs * panels * Columns));
        _pool.For((groups + panels) * blocks, new Pack(product, part, _local));

        // Tiles of a size that keeps the threads equally busy; results do not depend on it.
        int tileGroups = Math.Min(TileGroups, groups), tilePanels = product.IsRounded ? Math.Min(SummedPanels, panels) : panels;
        while (Blocks(groups, tileGroups) * Blocks(panels, tilePanels) < 6 * _pool.Threads && _pool.Threads > 1)
        {
            if (tilePanels > 8) tilePanels = (tilePanels + 1) / 2;
            else if (tileGroups > 4) tileGroups = (tileGroups + 1) / 2;
            else break;
        }
        _pool.For(Blocks(groups, tileGroups) * Blocks(panels, tilePanels), new ComputeTiles(product, part, tileGroups, tilePanels, _local));
    }

    private static int Blocks(int length, int size) => (length + size - 1) / size;

    /// <summary>What is packed and computed at a time: groups of rows of A and panels of columns of B. Those of one block of steps lie
    /// together, blocks one after another.</summary>
    private readonly struct Part(int row, int groups, int column, int panels, int step, int steps, int block, uint* a, uint* b)
    {
        public readonly int Row = row, Groups = groups, Column = column, Panels = panels, Step = step, Steps = steps;

        /// <summary>A group of rows in the block from <paramref name="first"/> (even) on.</summary>
        public uint* Group(int first, int length, int group) =>
            a + ((long)(first / 2) * Groups + (long)group * Bf16Panels.Pairs(length)) * Rows
            + ((long)(first / block) * Groups + group) * Tensors.Panels.Overrun;

        /// <summary>A panel of columns in the block from <paramref name="first"/> (even) on.</summary>
        public uint* Panel(int first, int length, int panel) =>
            b + ((long)(first / 2) * Panels + (long)panel * Bf16Panels.Pairs(length)) * Columns;
    }

    /// <summary>The whole problem.</summary>
    private readonly struct Product(
        int m, int n, int k, StridedMatrix a, StridedMatrix b, StridedMatrix c, bool add, float* addend,
        delegate* unmanaged<uint*, uint*, nint, float*, nint, nint, void> kernel)
    {
        public readonly int M = m, N = n, K = k;

        /// <summary>Whether C is BF16: sums are then kept beside it until they are whole.</summary>
        public bool IsRounded => c.Type == DType.BF16;

        /// <summary>Length of a block of the inner dimension: equal blocks of at most <see cref="BlockSteps"/>, a multiple of 8.</summary>
        public int Block => Math.Max(8, (Blocks(K, Math.Max(1, Blocks(K, BlockSteps))) + 7) / 8 * 8);

        /// <summary>Floats that packing one panel of <see cref="Block"/> steps may use besides the panel.</summary>
        public long RowFloats => (long)Columns * (Block / 2);

        /// <summary>Packs a group of rows of A.</summary>
        public void PackA(int row, int step, int steps, uint* panel, uint* rows) =>
            Pack(a.At(row, step), a.Type, a.RowStride, a.ColumnStride, Math.Min(Rows, M - row), steps, panel, Rows, rows);

        /// <summary>Packs a panel of columns of B.</summary>
        public void PackB(int column, int step, int steps, uint* panel, uint* rows) =>
            Pack(b.At(step, column), b.Type, b.ColumnStride, b.RowStride, Math.Min(Columns, N - column), steps, panel, Columns, rows);

        /// <summary>Computes the part of one kernel tile at (row, column) that lies inside a C of floats.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Tile(uint* left, uint* right, int step, int steps, int row, int column)
        {
            float* tile = (float*)c.At(row, column);
            int rows = Math.Min(Rows, M - row), columns = Math.Min(Columns, N - column);
            bool adds = add || addend != null || step > 0;
            if (addend != null && step == 0)
            {
                for (int i = 0; i < rows; i++)
                    new ReadOnlySpan<float>(addend + (row + i) * c.RowStride + column, columns).CopyTo(new(tile + i * c.RowStride, columns));
            }
            if (rows == Rows && columns == Columns)
                kernel(left, right, Bf16Panels.Pairs(steps), tile, (nint)c.RowStride * sizeof(float), adds ? 1 : 0);
            else
                Edge(left, right, steps, tile, adds, rows, columns);
        }

        /// <summary>Computes one whole kernel tile of sums beside C.</summary>
        public void Sum(uint* left, uint* right, int step, int steps, float* sums, int width) =>
            kernel(left, right, Bf16Panels.Pairs(steps), sums, (nint)width * sizeof(float), step > 0 ? 1 : 0);

        /// <summary>Rounds whole sums to C at (row, column), as many rows and columns as it has there.</summary>
        public void Round(float* sums, int width, int row, int rows, int column)
        {
            int columns = Math.Min(width, N - column);
            for (int i = 0; i < Math.Min(rows, M - row); i++)
            {
                float* from = sums + (long)i * width;
                var to = (BFloat16*)c.At(row + i, column);
                float* added = addend == null ? null : addend + (row + i) * c.RowStride + column;
                int j = 0;
                for (; j <= columns - Width256.Count; j += Width256.Count)
                {
                    var sum = Width256.Load(from + j);
                    if (add) sum += Width256.LoadWide(to + j);
                    if (added != null) sum += Width256.Load(added + j);
                    Width256.StoreNarrow(sum, to + j);
                }
                for (; j < columns; j++)
                {
                    float sum = from[j];
                    if (add) sum += (float)to[j];
                    if (added != null) sum += added[j];
                    to[j] = (BFloat16)sum;
                }
            }
        }

        private void Edge(uint* left, uint* right, int steps, float* tile, bool adds, int rows, int columns)
        {
            float* whole = stackalloc float[Rows * Columns];
            kernel(left, right, Bf16Panels.Pairs(steps), whole, Columns * sizeof(float), 0);
            for (int i = 0; i < rows; i++)
            {
                float* from = whole + i * Columns, to = tile + i * c.RowStride;
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

    /// <summary>Packs one group of rows or one panel of columns of one block.</summary>
    private readonly struct Pack(Product product, Part part, Scratch[] local) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            int count = part.Groups + part.Panels, block = product.Block, index = task % count;
            int first = task / count * block, length = Math.Min(block, part.Steps - first);
            uint* rows = (uint*)local[worker].Floats(product.RowFloats);
            if (index < part.Groups)
                product.PackA(part.Row + index * Rows, part.Step + first, length, part.Group(first, length, index), rows);
            else
            {
                index -= part.Groups;
                product.PackB(part.Column + index * Columns, part.Step + first, length, part.Panel(first, length, index), rows);
            }
        }
    }

    /// <summary>Computes one tile of C from packed groups and panels.</summary>
    private readonly struct ComputeTiles(Product product, Part part, int tileGroups, int tilePanels, Scratch[] local) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            int rowTiles = Blocks(part.Groups, tileGroups);
            int firstGroup = task % rowTiles * tileGroups, lastGroup = Math.Min(part.Groups, firstGroup + tileGroups);
            int firstPanel = task / rowTiles * tilePanels, lastPanel = Math.Min(part.Panels, firstPanel + tilePanels);
            int width = (lastPanel - firstPanel) * Columns, height = (lastGroup - firstGroup) * Rows, block = product.Block;
            float* sums = product.IsRounded ? local[worker].Floats((long)height * width) : null;
            for (int first = 0; first < Math.Max(1, part.Steps); first += block)
            {
                int length = Math.Min(block, part.Steps - first);
                for (int panel = firstPanel; panel < lastPanel; panel++)
                {
                    uint* b = part.Panel(first, length, panel);
                    for (int group = firstGroup; group < lastGroup; group++)
                    {
                        uint* a = part.Group(first, length, group);
                        if (sums == null)
                            product.Tile(a, b, part.Step + first, length, part.Row + group * Rows, part.Column + panel * Columns);
                        else
                            product.Sum(a, b, first, length, sums + (long)(group - firstGroup) * Rows * width + (panel - firstPanel) * Columns, width);
                    }
                }
            }
            if (sums != null) product.Round(sums, width, part.Row + firstGroup * Rows, height, part.Column + firstPanel * Columns);
        }
    }

    /// <summary>Computes one panel's columns for rows of one tile: packs the panel for itself.</summary>
    private readonly struct ComputeFewRows(Product product, Scratch[] local) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            int block = product.Block, column = task * Columns;
            long panel = (long)Columns * (block / 2), rows = (long)Rows * (block / 2) + Panels.Overrun;
            uint* b = (uint*)local[worker].Floats(panel + rows + product.RowFloats), a = b + panel;
            float* sums = stackalloc float[Rows * Columns];
            for (int step = 0; step < Math.Max(1, product.K); step += block)
            {
                int length = Math.Min(block, product.K - step);
                product.PackA(0, step, length, a, a + rows);
                product.PackB(column, step, length, b, a + rows);
                if (product.IsRounded) product.Sum(a, b, step, length, sums, Columns);
                else product.Tile(a, b, step, length, 0, column);
            }
            if (product.IsRounded) product.Round(sums, Columns, 0, Rows, column);
        }
    }
}
