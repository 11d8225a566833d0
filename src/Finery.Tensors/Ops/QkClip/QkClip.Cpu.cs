using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void QkClipCore(
        Tensor weight, Tensor? master, Tensor maxLogits, AttentionShape shape, in QkClipRun run)
    {
        int heads = shape.HeadCount + (run.Group ? shape.KvHeadCount : 0);
        long length = (long)shape.HeadSize * weight.Columns;
        for (int head = 0; head < heads; head++)
        {
            float factor = (float)QkClipFactor(maxLogits, head, shape, run);
            if (factor < 1) Update(weight, master, run.Rounding, head * length, (head + 1) * length, new ScaledParameter(factor));
        }
    }

    private readonly struct ScaledParameter(float factor) : IParameterMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Next<W, V>(V p, long i) where W : struct, IWidth<V> where V : struct => W.Multiply(p, W.Broadcast(factor));
    }
}
