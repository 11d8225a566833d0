using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Tensors;

internal sealed unsafe partial class Gemm
{
    /// <summary>Packs some panels of one block of B. Panels of a block lie together, blocks one after another.</summary>
    private readonly struct PackPanels<TKernel>(Product product, int column, int columns, int step, int steps, float* packed)
        : IParallelBody where TKernel : struct, IMicroKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int task, int worker)
        {
            int width = TKernel.Columns, panels = Blocks(columns, width), groups = Blocks(panels, PanelsTogether);
            int first = task / groups * product.Block, length = Math.Min(product.Block, steps - first);
            int start = task % groups * PanelsTogether * width, lanes = Math.Min(PanelsTogether * width, columns - start);
            float* panel = packed + (long)first * panels * width + (long)start * length;
            Panels.Pack(product.B.From(step + first, column + start).Transposed, lanes, length, panel, TKernel.Columns, (long)length * width);
        }
    }

    /// <summary>Packs some panels of one block of A.</summary>
    private readonly struct PackSharedRows<TKernel>(Product product, int step, int steps, float* rows) : IParallelBody
        where TKernel : struct, IMicroKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int task, int worker)
        {
            int panels = Blocks(product.M, TKernel.Rows), groups = Blocks(panels, PanelsTogether), block = task / groups;
            int panel = task % groups * PanelsTogether, row = panel * TKernel.Rows, first = block * product.Block;
            Panels.Pack(
                product.A.From(row, step + first), Math.Min(PanelsTogether * TKernel.Rows, product.M - row), Math.Min(product.Block, steps - first),
                rows + ((long)block * panels + panel) * product.RowStride<TKernel>(), TKernel.Rows, product.RowStride<TKernel>());
        }
    }

    /// <summary>Computes one tile of C from packed panels of B.</summary>
    private readonly struct ComputeTiles<TKernel>(
        Product product, int column, int columns, int step, int steps, float* packed, float* sharedRows, int tileRows, int tilePanels,
        Scratch[] local) : IParallelBody
        where TKernel : struct, IMicroKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int task, int worker)
        {
            int rowTiles = Blocks(product.M, tileRows), panels = Blocks(columns, TKernel.Columns), block = product.Block;
            int row = task % rowTiles * tileRows, rows = Math.Min(tileRows, product.M - row);
            int firstPanel = task / rowTiles * tilePanels, lastPanel = Math.Min(panels, firstPanel + tilePanels);
            long aStride = product.RowStride<TKernel>(), aFloats = tileRows / TKernel.Rows * aStride;
            bool buffered = product.C.Type == DType.BF16;
            int bufferRow = (lastPanel - firstPanel) * TKernel.Columns, start = column + firstPanel * TKernel.Columns;
            float* own = local[worker].Floats(aFloats + (buffered ? (long)tileRows * bufferRow : 0)), buffer = own + aFloats;
            float* target = buffered ? buffer : (float*)product.C.At(row, start);
            long targetRow = buffered ? bufferRow : product.C.RowStride;
            for (int first = 0; first < Math.Max(1, steps); first += block)
            {
                int length = Math.Min(block, steps - first);
                float* a = own;
                if (sharedRows != null) a = sharedRows + ((long)first / block * Blocks(product.M, TKernel.Rows) + row / TKernel.Rows) * aStride;
                else Panels.Pack(product.A.From(row, step + first), rows, length, a, TKernel.Rows, aStride);
                // Later blocks add to what the earlier ones left; the first to what the product is to be added to.
                bool later = step + first > 0;
                float* addend = later ? target : product.Addend == null ? null : product.Addend + row * product.C.RowStride + start;
                long addendRow = later ? targetRow : product.C.RowStride;
                for (int panel = firstPanel; panel < lastPanel; panel++)
                {
                    float* b = packed + ((long)first * panels + (long)panel * length) * TKernel.Columns;
                    int tile = (panel - firstPanel) * TKernel.Columns;
                    for (int i = 0; i < rows; i += TKernel.Rows)
                    {
                        product.Tile<TKernel>(
                            a + i / TKernel.Rows * aStride, b, length, target + i * targetRow + tile, targetRow,
                            addend == null ? null : addend + i * addendRow + tile, addendRow, row + i, start + tile);
                    }
                }
            }
            if (buffered) Round(buffer, bufferRow, row, rows, start, Math.Min(column + columns, start + bufferRow) - start);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Round(float* buffer, int bufferRow, int row, int rows, int start, int count)
        {
            for (int i = 0; i < rows; i++)
            {
                float* from = buffer + i * bufferRow;
                var to = (BFloat16*)product.C.At(row + i, start);
                int j = 0;
                for (; j <= count - 8 && Vector256.IsHardwareAccelerated; j += 8)
                {
                    var sum = Vector256.Load(from + j);
                    Width256.StoreNarrow(product.Add ? sum + Width256.LoadWide(to + j) : sum, to + j);
                }
                for (; j < count; j++) to[j] = (BFloat16)(product.Add ? from[j] + (float)to[j] : from[j]);
            }
        }
    }

    /// <summary>Computes one panel's columns for few rows: packs the panel for itself.</summary>
    private readonly struct ComputeFewRows<TKernel>(Product product, float* a, Scratch[] local) : IParallelBody
        where TKernel : struct, IMicroKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int task, int worker)
        {
            int block = product.Block, column = task * TKernel.Columns, lanes = Math.Min(TKernel.Columns, product.N - column);
            long aStride = (long)product.K * TKernel.Rows + Panels.Overrun;
            float* panel = local[worker].Floats((long)block * TKernel.Columns + Panels.Overrun);
            for (int step = 0; step < Math.Max(1, product.K); step += block)
            {
                int length = Math.Min(block, product.K - step);
                Panels.Pack(product.B.From(step, column).Transposed, lanes, length, panel, TKernel.Columns, 0);
                for (int row = 0; row < product.M; row += TKernel.Rows)
                {
                    float* c = (float*)product.C.At(row, column);
                    float* addend = step > 0 ? c : product.Addend == null ? null : product.Addend + row * product.C.RowStride + column;
                    product.Tile<TKernel>(
                        a + row / TKernel.Rows * aStride + (long)step * TKernel.Rows, panel, length, c, product.C.RowStride,
                        addend, product.C.RowStride, row, column);
                }
            }
        }
    }
}
