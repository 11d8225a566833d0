using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Tensors;

/// <summary>
/// Matrix product with sums in single precision, after Goto and van de Geijn 2008 and BLIS: the inner dimension is cut into blocks, B is
/// packed into panels that all threads share, and each task packs rows of A for itself and computes one tile of C with a
/// register-blocked kernel. Operands in BF16 are widened exactly as they are packed, or left to <see cref="Bf16Gemm"/> where it runs.
/// </summary>
/// <remarks>An element of C is the sum over blocks of the inner dimension, each one chain of multiply-adds; the blocks depend on that
/// dimension alone. So a result has the same bits for any number of threads, and a row's for any number of other rows.</remarks>
internal sealed unsafe partial class Gemm : IDisposable
{
    // Steps of the inner dimension at once: a 16-wide panel of B (24 KiB) then stays in the L1 cache.
    private const int BlockSteps = 384;

    // Rows of A in a tile: with BlockSteps 288 KiB, well inside an L2 cache.
    private const int TileRows = 192;

    // Floats of packed B at once (8 MiB): stays in the L3 cache.
    private const int PanelBudget = 2 << 20;

    // At most this many rows of A make the product bound by reading B, which is then not worth packing for all threads.
    private const int FewRows = 16;

    // Tiles a thread should find, so that all end at about the same time.
    private const int TilesPerThread = 4;

    // Panels packed by one task.
    private const int PanelsTogether = 8;

    // Floats of A (16 MiB) that are packed ahead for all tasks where several would pack the same rows.
    private const long SharedRows = 4 << 20;

    private readonly WorkerPool _pool;
    private readonly Scratch _panels = new();
    private readonly Scratch _rows = new();
    private readonly Scratch[] _local;

    public Gemm(WorkerPool pool)
    {
        _pool = pool;
        _local = new Scratch[pool.Threads];
        for (int i = 0; i < _local.Length; i++) _local[i] = new Scratch();
    }

    /// <summary>Bytes of scratch memory held.</summary>
    public long ScratchBytes => _panels.Bytes + _rows.Bytes + _local.Sum(scratch => scratch.Bytes) + (_bf16?.ScratchBytes ?? 0);

    /// <summary>Width of a panel of B on this processor.</summary>
    public static int PanelColumns => Vector512.IsHardwareAccelerated ? MicroKernel512.Columns
        : Vector256.IsHardwareAccelerated ? MicroKernel256.Columns : MicroKernel128.Columns;

    /// <summary>Most bytes of scratch memory that products with B of [<paramref name="k"/>, <paramref name="n"/>] ask for.</summary>
    public static long MostScratchBytes(long k, long n, int threads)
    {
        long panels = Math.Min(PanelBudget, k * ((n + PanelColumns - 1) / PanelColumns * PanelColumns)), tile = TileRows * Math.Min(k, BlockSteps);
        return sizeof(float) * (panels + threads * tile);
    }

    /// <summary><c>C = A B</c>, <c>C += A B</c> or <c>C = A B + addend</c>.</summary>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Columns of B and C.</param>
    /// <param name="k">Columns of A and rows of B; 0 makes the product 0.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n], row-major; apart from A and B. BF16 is rounded once, from the whole sum.</param>
    /// <param name="add">Whether to add to C.</param>
    /// <param name="addend">[m, n] in F32, row-major as wide as C, added to the product; null for none.</param>
    /// <param name="packed">B as <see cref="Pack"/> left it, where the same B is used again; null packs it.</param>
    public void Multiply(
        int m, int n, int k, StridedMatrix a, StridedMatrix b, StridedMatrix c, bool add, float* addend = null, PackedPanels? packed = null)
    {
        if (m == 0 || n == 0 || TryMultiplyBf16(m, n, k, a, b, c, add, addend)) return;
        var product = new Product(m, n, k, a, b, c, add ? c.Type == DType.F32 ? (float*)c.At(0, 0) : null : addend, add);
        if (Vector512.IsHardwareAccelerated) Multiply<MicroKernel512>(product, packed);
        else if (Vector256.IsHardwareAccelerated) Multiply<MicroKernel256>(product, packed);
        else Multiply<MicroKernel128>(product, packed);
    }

    /// <summary><see cref="Multiply(int, int, int, StridedMatrix, StridedMatrix, StridedMatrix, bool, float*, PackedPanels?)"/> to floats.</summary>
    public void Multiply(
        int m, int n, int k, StridedMatrix a, StridedMatrix b, float* c, long cRow, bool add, PackedPanels? packed = null) =>
        Multiply(m, n, k, a, b, StridedMatrix.RowMajor(c, cRow), add, null, packed);

    /// <summary>Packs B for several products.</summary>
    /// <param name="n">Columns of B.</param>
    /// <param name="k">Rows of B.</param>
    /// <param name="b">[k, n].</param>
    /// <param name="packed">Overwritten.</param>
    public void Pack(int n, int k, StridedMatrix b, PackedPanels packed)
    {
        // The bfloat16 kernel packs in its own way, at each product, and takes them all; oneDNN may leave some.
        if (UsesBf16(b.Type, b.Type) && _bf16 is not null) return;
        var product = new Product(0, n, k, default, b, default, null, false);
        float* panels = packed.Reserve(n, k);
        if (Vector512.IsHardwareAccelerated) Pack<MicroKernel512>(product, 0, n, 0, k, panels);
        else if (Vector256.IsHardwareAccelerated) Pack<MicroKernel256>(product, 0, n, 0, k, panels);
        else Pack<MicroKernel128>(product, 0, n, 0, k, panels);
    }

    public void Dispose()
    {
        _panels.Dispose();
        _rows.Dispose();
        foreach (var scratch in _local) scratch.Dispose();
        _bf16?.Dispose();
        _oneDnn?.Dispose();
    }

    private void Multiply<TKernel>(in Product product, PackedPanels? packed) where TKernel : struct, IMicroKernel
    {
        bool stepsTogether = product.B.RowStride == 1 && packed is null;
        if (product.M == 1 && stepsTogether && product.A.ColumnStride == 1 && product.AllFloat)
            _pool.For(Blocks(product.N, RowProduct.TaskColumns), new RowProduct(product));
        else if (product.M <= FewRows && stepsTogether && product.C.Type == DType.F32)
            MultiplyFewRows<TKernel>(product);
        else
            MultiplyTiles<TKernel>(product, packed);
    }

    private void MultiplyTiles<TKernel>(in Product product, PackedPanels? prepacked) where TKernel : struct, IMicroKernel
    {
        int width = TKernel.Columns, block = product.Block;
        // A BF16 result is rounded once, so its whole sums are made at a time.
        bool wholeSums = product.C.Type == DType.BF16;
        int groupColumns = prepacked is not null ? product.N
            : Math.Min(Blocks(product.N, width), Math.Max(1, PanelBudget / ((wholeSums ? product.K : block) * width))) * width;
        int groupSteps = prepacked is not null || wholeSums ? product.K : block * Math.Max(1, PanelBudget / (block * groupColumns));
        for (int column = 0; column < product.N; column += groupColumns)
        {
            int columns = Math.Min(groupColumns, product.N - column), panels = Blocks(columns, width);
            for (int step = 0; step < Math.Max(1, product.K); step += Math.Max(1, groupSteps))
            {
                int steps = Math.Min(groupSteps, product.K - step);
                float* packed = prepacked is not null ? prepacked.Panels(product.N, product.K) : _panels.Floats((long)steps * panels * width + Panels.Overrun);
                if (prepacked is null) Pack<TKernel>(product, column, columns, step, steps, packed);
                var (tileRows, tilePanels) = TileSize<TKernel>(product.M, panels, wholeSums);
                int tiles = Blocks(product.M, tileRows) * Blocks(panels, tilePanels);
                float* rows = tilePanels < panels && (long)product.M * steps <= SharedRows ? PackRows<TKernel>(product, step, steps) : null;
                _pool.For(tiles, new ComputeTiles<TKernel>(product, column, columns, step, steps, packed, rows, tileRows, tilePanels, _local));
            }
        }
    }

    /// <summary>Tiles of a size that keeps the threads equally busy; results do not depend on it.</summary>
    private (int Rows, int Panels) TileSize<TKernel>(int m, int panels, bool buffered) where TKernel : struct, IMicroKernel
    {
        int groups = Math.Min(TileRows / TKernel.Rows, Blocks(m, TKernel.Rows)), columns = panels;
        // A buffered tile stays in the L2 cache.
        while (buffered && columns > 16) columns = (columns + 1) / 2;
        while (_pool.Threads > 1 && Blocks(m, groups * TKernel.Rows) * Blocks(panels, columns) < TilesPerThread * _pool.Threads)
        {
            if (groups * TKernel.Rows > TileRows / 2) groups = (groups + 1) / 2;
            else if (columns > 16) columns = (columns + 1) / 2;
            else if (groups > 4) groups = (groups + 1) / 2;
            else if (columns > 2) columns = (columns + 1) / 2;
            else break;
        }
        return (groups * TKernel.Rows, columns);
    }

    private void Pack<TKernel>(in Product product, int column, int columns, int step, int steps, float* packed)
        where TKernel : struct, IMicroKernel
    {
        int tasks = Blocks(Blocks(columns, TKernel.Columns), PanelsTogether) * Blocks(steps, product.Block);
        _pool.For(tasks, new PackPanels<TKernel>(product, column, columns, step, steps, packed));
    }

    /// <summary>Packs the rows of A, in panels of a block after another as those of B, but <see cref="Panels.Overrun"/> apart.</summary>
    private float* PackRows<TKernel>(in Product product, int step, int steps) where TKernel : struct, IMicroKernel
    {
        int panels = Blocks(product.M, TKernel.Rows);
        float* rows = _rows.Floats(Blocks(steps, product.Block) * product.RowStride<TKernel>() * panels);
        int tasks = Blocks(panels, PanelsTogether) * Blocks(steps, product.Block);
        _pool.For(tasks, new PackSharedRows<TKernel>(product, step, steps, rows));
        return rows;
    }

    private void MultiplyFewRows<TKernel>(in Product product) where TKernel : struct, IMicroKernel
    {
        long stride = (long)product.K * TKernel.Rows + Panels.Overrun;
        float* a = _rows.Floats(Blocks(product.M, TKernel.Rows) * stride);
        Panels.Pack(product.A, product.M, product.K, a, TKernel.Rows, stride);
        _pool.For(Blocks(product.N, TKernel.Columns), new ComputeFewRows<TKernel>(product, a, _local));
    }

    private static int Blocks(int length, int size) => (length + size - 1) / size;

    /// <summary>The whole problem.</summary>
    private readonly struct Product(int m, int n, int k, StridedMatrix a, StridedMatrix b, StridedMatrix c, float* addend, bool add)
    {
        public readonly int M = m, N = n, K = k;
        public readonly StridedMatrix A = a, B = b, C = c;

        /// <summary>What the first block of the inner dimension is added to: nothing, C itself or another matrix.</summary>
        public readonly float* Addend = addend;

        public readonly bool Add = add;

        public bool AllFloat => A.Type == DType.F32 && B.Type == DType.F32 && C.Type == DType.F32;

        /// <summary>Length of a block of the inner dimension: equal blocks of at most <see cref="BlockSteps"/>, a multiple of 8.</summary>
        public int Block => Math.Max(8, (Blocks(K, Math.Max(1, Blocks(K, BlockSteps))) + 7) / 8 * 8);

        /// <summary>Floats from one packed panel of rows to the next.</summary>
        public long RowStride<TKernel>() where TKernel : struct, IMicroKernel => (long)Block * TKernel.Rows + Panels.Overrun;

        /// <summary>Computes the part of one kernel tile at (row, column) of an F32 matrix that lies inside it.</summary>
        /// <param name="a">Panel of A.</param>
        /// <param name="panel">Panel of B.</param>
        /// <param name="steps">Length of the block.</param>
        /// <param name="c">The tile's place in C, or in a buffer.</param>
        /// <param name="cRow">Row stride there.</param>
        /// <param name="addend">What is added, at the same place; null for nothing.</param>
        /// <param name="addendRow">Row stride of the addend.</param>
        /// <param name="row">Of the tile.</param>
        /// <param name="column">Of the tile.</param>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Tile<TKernel>(
            float* a, float* panel, int steps, float* c, long cRow, float* addend, long addendRow, int row, int column)
            where TKernel : struct, IMicroKernel
        {
            if (row + TKernel.Rows <= M && column + TKernel.Columns <= N)
                TKernel.Run(a, panel, steps, c, (nint)cRow, addend, (nint)addendRow);
            else
            {
                int rows = Math.Min(TKernel.Rows, M - row), columns = Math.Min(TKernel.Columns, N - column);
                Edge<TKernel>(a, panel, steps, c, cRow, addend, addendRow, rows, columns);
            }
        }

        private static void Edge<TKernel>(
            float* a, float* panel, int steps, float* c, long cRow, float* addend, long addendRow, int rows, int columns)
            where TKernel : struct, IMicroKernel
        {
            float* whole = stackalloc float[TKernel.Rows * TKernel.Columns];
            TKernel.Run(a, panel, steps, whole, TKernel.Columns, null, 0);
            for (int i = 0; i < rows; i++)
            {
                float* from = whole + i * TKernel.Columns, to = c + i * cRow;
                for (int j = 0; j < columns; j++) to[j] = addend != null ? from[j] + addend[i * addendRow + j] : from[j];
            }
        }
    }
}
