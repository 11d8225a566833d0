using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Tensors;

/// <summary>A matrix in memory by its two strides, of which one is 1: a transpose costs nothing.</summary>
internal readonly unsafe struct StridedMatrix(float* data, long rowStride, long columnStride)
{
    public readonly float* Data = data;
    public readonly long RowStride = rowStride;
    public readonly long ColumnStride = columnStride;

    /// <summary>A row-major matrix of <paramref name="columns"/> columns.</summary>
    public static StridedMatrix RowMajor(float* data, long columns) => new(data, columns, 1);

    public StridedMatrix Transposed => new(Data, ColumnStride, RowStride);

    public float* At(long row, long column) => Data + row * RowStride + column * ColumnStride;
}

/// <summary>
/// Matrix product in single precision, after Goto and van de Geijn 2008 and BLIS: the inner dimension is cut into blocks, B is packed
/// into panels that all threads share, and each task computes one tile of C with a register-blocked kernel.
/// </summary>
/// <remarks>An element of C is the sum over blocks of the inner dimension, each one chain of multiply-adds; the blocks depend on that
/// dimension alone. So a result has the same bits for any number of threads, and a row's for any number of other rows.</remarks>
internal sealed unsafe class Gemm : IDisposable
{
    // Steps of the inner dimension at once: a 16-wide panel of B (24 KiB) then stays in the L1 cache.
    private const int BlockSteps = 384;

    // Rows of A in a tile: with BlockSteps 288 KiB, well inside an L2 cache.
    private const int TileRows = 192;

    // Floats between copied rows of A: one cache line keeps them out of each other's cache sets.
    private const int RowGap = 16;

    // Floats of packed B at once (8 MiB): stays in the L3 cache.
    private const int PanelBudget = 2 << 20;

    // At most this many rows of A make the product bound by reading B, which is then not worth packing for all threads.
    private const int FewRows = 16;

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

    /// <summary>Bytes of all scratch memory.</summary>
    public long ScratchBytes => _panels.Bytes + _rows.Bytes + _local.Sum(scratch => scratch.Bytes);

    /// <summary>Most bytes of scratch memory that products with B of [<paramref name="k"/>, <paramref name="n"/>] ask for.</summary>
    public static long MostScratchBytes(long k, long n, int threads)
    {
        // The widest panels, the longest tiles.
        const int Width = 32, TileExtra = 16;
        long panels = Math.Min(PanelBudget, k * ((n + Width - 1) / Width * Width));
        long rows = (TileRows + TileExtra) * (long)(Math.Min(k, BlockSteps) + RowGap);
        return sizeof(float) * (panels + threads * rows);
    }

    /// <summary><c>C = A B</c>, or <c>C += A B</c>.</summary>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Columns of B and C.</param>
    /// <param name="k">Columns of A and rows of B; 0 makes the product 0.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n], row-major with <paramref name="cRow"/> floats a row; apart from A and B.</param>
    /// <param name="cRow">Row stride of C.</param>
    /// <param name="add">Whether to add to C.</param>
    public void Multiply(int m, int n, int k, StridedMatrix a, StridedMatrix b, float* c, long cRow, bool add)
    {
        if (m == 0 || n == 0) return;
        if (k == 0)
        {
            for (int i = 0; i < m && !add; i++) new Span<float>(c + i * cRow, n).Clear();
            return;
        }
        var product = new Product(m, n, k, a, b, c, cRow, add);
        if (Vector512.IsHardwareAccelerated) Multiply<MicroKernel512>(product);
        else if (Vector256.IsHardwareAccelerated) Multiply<MicroKernel256>(product);
        else Multiply<MicroKernel128>(product);
    }

    public void Dispose()
    {
        _panels.Dispose();
        _rows.Dispose();
        foreach (var scratch in _local) scratch.Dispose();
    }

    private void Multiply<TKernel>(in Product product) where TKernel : struct, IMicroKernel
    {
        bool bTransposed = product.B.ColumnStride != 1;
        if (product.M == 1 && bTransposed && product.A.ColumnStride == 1)
        {
            _pool.For(Blocks(product.N, RowProduct.TaskColumns), new RowProduct(product));
            return;
        }
        if (product.M <= FewRows && bTransposed) MultiplyFewRows<TKernel>(product);
        else MultiplyTiles<TKernel>(product);
    }

    private void MultiplyTiles<TKernel>(in Product product) where TKernel : struct, IMicroKernel
    {
        int width = TKernel.Columns, block = product.Block;
        int groupColumns = Math.Min(Blocks(product.N, width), Math.Max(1, PanelBudget / (block * width))) * width;
        int groupSteps = block * Math.Max(1, PanelBudget / (block * groupColumns));
        for (int column = 0; column < product.N; column += groupColumns)
        {
            int columns = Math.Min(groupColumns, product.N - column), panels = Blocks(columns, width);
            for (int step = 0; step < product.K; step += groupSteps)
            {
                int steps = Math.Min(groupSteps, product.K - step);
                float* packed = _panels.Floats((long)steps * panels * width);
                _pool.For(panels * Blocks(steps, block), new PackPanels<TKernel>(product, column, columns, step, steps, packed));

                // Tiles of a size that keeps the threads equally busy; results do not depend on it.
                int tileRows = Math.Min(TileRows / TKernel.Rows, Blocks(product.M, TKernel.Rows));
                int tilePanels = panels;
                while (Blocks(product.M, tileRows * TKernel.Rows) * Blocks(panels, tilePanels) < 6 * _pool.Threads && _pool.Threads > 1)
                {
                    if (tilePanels > 8) tilePanels = (tilePanels + 1) / 2;
                    else if (tileRows > 4) tileRows = (tileRows + 1) / 2;
                    else break;
                }
                int tiles = Blocks(product.M, tileRows * TKernel.Rows) * Blocks(panels, tilePanels);
                _pool.For(tiles, new ComputeTiles<TKernel>(
                    product, column, columns, step, steps, packed, tileRows * TKernel.Rows, tilePanels, _local));
            }
        }
    }

    private void MultiplyFewRows<TKernel>(in Product product) where TKernel : struct, IMicroKernel
    {
        // A with zero rows below, so that every tile is whole.
        int rows = Blocks(product.M, TKernel.Rows) * TKernel.Rows;
        float* a = _rows.Floats((long)rows * product.K);
        for (int i = 0; i < rows; i++)
        {
            for (int s = 0; s < product.K; s++) a[(long)i * product.K + s] = i < product.M ? *product.A.At(i, s) : 0;
        }
        _pool.For(Blocks(product.N, TKernel.Columns), new ComputeFewRows<TKernel>(product, a, _local));
    }

    private static int Blocks(int length, int size) => (length + size - 1) / size;

    /// <summary>The whole problem.</summary>
    private readonly struct Product(int m, int n, int k, StridedMatrix a, StridedMatrix b, float* c, long cRow, bool add)
    {
        public readonly int M = m, N = n, K = k;
        public readonly StridedMatrix A = a, B = b;
        public readonly float* C = c;
        public readonly long CRow = cRow;
        public readonly bool Add = add;

        /// <summary>Length of a block of the inner dimension: equal blocks of at most <see cref="BlockSteps"/>, a multiple of 8.</summary>
        public int Block => (Blocks(K, Blocks(K, BlockSteps)) + 7) / 8 * 8;

        /// <summary>Computes the part of one kernel tile at (row, column) that lies inside C.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Tile<TKernel>(float* a, nint aRow, nint aStep, float* panel, int step, int steps, int row, int column)
            where TKernel : struct, IMicroKernel
        {
            float* c = C + row * CRow + column;
            bool adds = Add || step > 0;
            if (row + TKernel.Rows <= M && column + TKernel.Columns <= N)
                TKernel.Run(a, aRow, aStep, panel, steps, c, (nint)CRow, adds);
            else
            {
                int rows = Math.Min(TKernel.Rows, M - row), columns = Math.Min(TKernel.Columns, N - column);
                Edge<TKernel>(a, aRow, aStep, panel, steps, c, adds, rows, columns);
            }
        }

        private void Edge<TKernel>(
            float* a, nint aRow, nint aStep, float* panel, int steps, float* c, bool adds, int rows, int columns)
            where TKernel : struct, IMicroKernel
        {
            float* whole = stackalloc float[TKernel.Rows * TKernel.Columns];
            TKernel.Run(a, aRow, aStep, panel, steps, whole, TKernel.Columns, false);
            for (int i = 0; i < rows; i++)
            {
                float* from = whole + i * TKernel.Columns, to = c + i * CRow;
                for (int j = 0; j < columns; j++) to[j] = adds ? from[j] + to[j] : from[j];
            }
        }
    }

    /// <summary>Packs one panel of one block of B. Panels of a block lie together, blocks one after another.</summary>
    private readonly struct PackPanels<TKernel>(
        Product product, int column, int columns, int step, int steps, float* packed) : IParallelBody
        where TKernel : struct, IMicroKernel
    {
        public void Run(int task, int worker)
        {
            int panels = Blocks(columns, TKernel.Columns), block = product.Block;
            int first = task / panels * block, length = Math.Min(block, steps - first);
            int start = task % panels * TKernel.Columns, width = Math.Min(TKernel.Columns, columns - start);
            float* source = product.B.At(step + first, column + start);
            float* panel = packed + (long)first * panels * TKernel.Columns + (long)start * length;
            if (product.B.ColumnStride == 1)
                Panels.PackRows(source, product.B.RowStride, width, length, panel, TKernel.Columns);
            else
                Panels.PackTransposed(source, product.B.ColumnStride, width, length, panel, TKernel.Columns);
        }
    }

    /// <summary>Computes one tile of C from packed panels.</summary>
    private readonly struct ComputeTiles<TKernel>(
        Product product, int column, int columns, int step, int steps, float* packed, int tileRows, int tilePanels, Scratch[] local)
        : IParallelBody
        where TKernel : struct, IMicroKernel
    {
        public void Run(int task, int worker)
        {
            int block = product.Block, panels = Blocks(columns, TKernel.Columns), rowTiles = Blocks(product.M, tileRows);
            int row = task % rowTiles * tileRows, rows = Math.Min(tileRows, product.M - row);
            int firstPanel = task / rowTiles * tilePanels, lastPanel = Math.Min(panels, firstPanel + tilePanels);
            bool contiguous = product.A.ColumnStride == 1;
            // Whole groups of rows of A are read in place, except where the rows of a group fall into the same cache sets (a stride
            // of 2 KiB) and enough columns pay for a copy. A last ragged group is copied beside zero rows.
            bool readsInPlace = contiguous && (product.A.RowStride % 512 != 0 || lastPanel - firstPanel < 8);
            float* copy = local[worker].Floats((long)(tileRows + TKernel.Rows) * (block + RowGap));
            for (int first = 0; first < steps; first += block)
            {
                int length = Math.Min(block, steps - first);
                Copy(copy, row, rows, step + first, length, readsInPlace);
                for (int panel = firstPanel; panel < lastPanel; panel++)
                {
                    float* b = packed + (long)first * panels * TKernel.Columns + (long)panel * TKernel.Columns * length;
                    for (int i = 0; i < rows; i += TKernel.Rows)
                    {
                        bool inPlace = readsInPlace && i + TKernel.Rows <= rows;
                        nint aRow = inPlace ? (nint)product.A.RowStride : contiguous ? length + RowGap : 1;
                        float* a = inPlace ? product.A.At(row + i, step + first) : copy + (long)i * (length + RowGap);
                        nint aStep = contiguous ? 1 : TKernel.Rows;
                        product.Tile<TKernel>(a, aRow, aStep, b, step + first, length, row + i, column + panel * TKernel.Columns);
                    }
                }
            }
        }

        private void Copy(float* copy, int row, int rows, int step, int length, bool readsInPlace)
        {
            for (int i = readsInPlace ? rows / TKernel.Rows * TKernel.Rows : 0; i < rows; i += TKernel.Rows)
            {
                float* group = copy + (long)i * (length + RowGap), source = product.A.At(row + i, step);
                int present = Math.Min(TKernel.Rows, rows - i);
                if (product.A.ColumnStride != 1)
                {
                    Panels.PackRows(source, product.A.ColumnStride, present, length, group, TKernel.Rows);
                    continue;
                }
                for (int r = 0; r < TKernel.Rows; r++)
                {
                    var to = new Span<float>(group + r * (length + RowGap), length);
                    if (r < present) new ReadOnlySpan<float>(source + r * product.A.RowStride, length).CopyTo(to);
                    else to.Clear();
                }
            }
        }
    }

    /// <summary>Computes one panel's columns for few rows: packs the panel for itself.</summary>
    private readonly struct ComputeFewRows<TKernel>(Product product, float* a, Scratch[] local) : IParallelBody
        where TKernel : struct, IMicroKernel
    {
        public void Run(int task, int worker)
        {
            int block = product.Block, column = task * TKernel.Columns, width = Math.Min(TKernel.Columns, product.N - column);
            float* panel = local[worker].Floats((long)block * TKernel.Columns);
            for (int step = 0; step < product.K; step += block)
            {
                int length = Math.Min(block, product.K - step);
                Panels.PackTransposed(product.B.At(step, column), product.B.ColumnStride, width, length, panel, TKernel.Columns);
                for (int row = 0; row < product.M; row += TKernel.Rows)
                    product.Tile<TKernel>(a + (long)row * product.K + step, product.K, 1, panel, step, length, row, column);
            }
        }
    }

    /// <summary>One row times a transposed matrix, bound by reading the matrix: its rows are transposed in registers, so that each
    /// element is the same chain of multiply-adds as in a tile.</summary>
    private readonly struct RowProduct(Product product) : IParallelBody
    {
        public const int TaskColumns = 64;

        public void Run(int task, int worker)
        {
            int end = Math.Min(product.N, (task + 1) * TaskColumns);
            for (int column = task * TaskColumns; column < end; column += 8) Eight(column, Math.Min(8, end - column));
        }

        private void Eight(int column, int columns)
        {
            float* sums = stackalloc float[8];
            // Columns that do not exist repeat the last one.
            float** rows = stackalloc float*[8];
            for (int j = 0; j < 8; j++) rows[j] = product.B.At(0, column + Math.Min(j, columns - 1));
            int block = product.Block;
            for (int step = 0; step < product.K; step += block)
            {
                int length = Math.Min(block, product.K - step);
                if (Vector256.IsHardwareAccelerated) Chain256(product.A.Data, rows, step, step + length, sums);
                else
                {
                    Chain128(product.A.Data, rows, step, step + length, sums);
                    Chain128(product.A.Data, rows + 4, step, step + length, sums + 4);
                }
                float* c = product.C + column;
                for (int j = 0; j < columns; j++) c[j] = product.Add || step > 0 ? sums[j] + c[j] : sums[j];
            }
        }

        private static void Chain256(float* x, float** rows, int start, int end, float* sums)
        {
            float* w0 = rows[0], w1 = rows[1], w2 = rows[2], w3 = rows[3], w4 = rows[4], w5 = rows[5], w6 = rows[6], w7 = rows[7];
            var sum = Vector256<float>.Zero;
            int s = start;
            for (; s + 8 <= end; s += 8)
            {
                var (r0, r1, r2, r3) = (Vector256.Load(w0 + s), Vector256.Load(w1 + s), Vector256.Load(w2 + s), Vector256.Load(w3 + s));
                var (r4, r5, r6, r7) = (Vector256.Load(w4 + s), Vector256.Load(w5 + s), Vector256.Load(w6 + s), Vector256.Load(w7 + s));
                Panels.Transpose(ref r0, ref r1, ref r2, ref r3, ref r4, ref r5, ref r6, ref r7);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s]), r0, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 1]), r1, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 2]), r2, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 3]), r3, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 4]), r4, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 5]), r5, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 6]), r6, sum);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s + 7]), r7, sum);
            }
            for (; s < end; s++)
            {
                var w = Vector256.Create(w0[s], w1[s], w2[s], w3[s], w4[s], w5[s], w6[s], w7[s]);
                sum = VectorMath.MultiplyAdd(Vector256.Create(x[s]), w, sum);
            }
            sum.Store(sums);
        }

        private static void Chain128(float* x, float** rows, int start, int end, float* sums)
        {
            float* w0 = rows[0], w1 = rows[1], w2 = rows[2], w3 = rows[3];
            var sum = Vector128<float>.Zero;
            int s = start;
            for (; s + 4 <= end; s += 4)
            {
                var (r0, r1, r2, r3) = (Vector128.Load(w0 + s), Vector128.Load(w1 + s), Vector128.Load(w2 + s), Vector128.Load(w3 + s));
                Panels.Transpose(ref r0, ref r1, ref r2, ref r3);
                sum = VectorMath.MultiplyAdd(Vector128.Create(x[s]), r0, sum);
                sum = VectorMath.MultiplyAdd(Vector128.Create(x[s + 1]), r1, sum);
                sum = VectorMath.MultiplyAdd(Vector128.Create(x[s + 2]), r2, sum);
                sum = VectorMath.MultiplyAdd(Vector128.Create(x[s + 3]), r3, sum);
            }
            for (; s < end; s++)
            {
                var w = Vector128.Create(w0[s], w1[s], w2[s], w3[s]);
                sum = VectorMath.MultiplyAdd(Vector128.Create(x[s]), w, sum);
            }
            sum.Store(sums);
        }
    }
}
