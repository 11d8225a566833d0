using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void AdamWCore(
        Tensor weight, Tensor? master, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings)
    {
        OnParameter(weight, master, settings.Rounding, new AdamWUse(this, gradient, firstMoment, secondMoment, settings));
    }

    private readonly struct AdamWUse(CpuKernels kernels, Tensor gradient, Tensor first, Tensor second, AdamWSettings settings) : IParameterUse
    {
        public void Run<P>(P parameter) where P : struct, IStoredParameter<P>
        {
            long length = gradient.Length;
            kernels._pool.For(
                StochasticRounding.Blocks(length),
                new AdamWUpdate<P>(parameter, gradient.FloatPointer, first.FloatPointer, second.FloatPointer, length, settings), grain: 1);
        }
    }

    private readonly struct AdamWUpdate<P>(P parameter, float* gradient, float* first, float* second, long length, AdamWSettings settings)
        : IVectorBody where P : struct, IStoredParameter<P>
    {
        private readonly float _decay = (float)(1 - (double)settings.LearningRate * settings.WeightDecay);
        private readonly float _step = (float)(settings.LearningRate / (1 - Math.Pow(settings.Beta1, settings.Step)));
        private readonly float _correction = (float)(1 / (1 - Math.Pow(settings.Beta2, settings.Step)));
        private readonly float _keep1 = settings.Beta1, _take1 = (float)(1 - (double)settings.Beta1);
        private readonly float _keep2 = settings.Beta2, _take2 = (float)(1 - (double)settings.Beta2);
        private readonly float _scale = settings.GradientScale, _epsilon = settings.Epsilon;

        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            long start = (long)index * StochasticRounding.Block, end = Math.Min(length, start + StochasticRounding.Block);
            var block = parameter.Block(index);
            long done = Run<W, V>(block, start, start, end);
            Run<Scalar, float>(block, start, done, end);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private long Run<W, V>(P block, long start, long i, long end) where W : struct, IWidth<V> where V : struct
        {
            V scale = W.Broadcast(_scale), decay = W.Broadcast(_decay), step = W.Broadcast(_step), correction = W.Broadcast(_correction);
            V keep1 = W.Broadcast(_keep1), take1 = W.Broadcast(_take1), keep2 = W.Broadcast(_keep2), take2 = W.Broadcast(_take2);
            V epsilon = W.Broadcast(_epsilon), zero = W.Broadcast(0);
            for (; i <= end - W.Count; i += W.Count)
            {
                V g = W.Multiply(W.Load(gradient + i), scale);
                V m = W.Add(W.Multiply(W.Load(first + i), keep1), W.Multiply(g, take1));
                V v = W.Add(W.Multiply(W.Load(second + i), keep2), W.Multiply(W.Multiply(g, take2), g));
                W.Store(m, first + i);
                W.Store(v, second + i);
                W.Store(zero, gradient + i);
                V root = W.Add(W.Sqrt(W.Multiply(v, correction)), epsilon);
                V decayed = W.Multiply(block.Load<W, V>(i), decay);
                block.Store<W, V>(W.Subtract(decayed, W.Divide(W.Multiply(m, step), root)), i, (uint)(i - start));
            }
            return i;
        }
    }
}
