using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void AdamWCore(
        Tensor weight, Tensor? master, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings)
    {
        if (master?.Type == DType.U16)
            Update(new SplitParameter(weight.BFloat16Pointer, master.UInt16Pointer), weight.Length, gradient, firstMoment, secondMoment, settings);
        else if (master is not null)
            Update(new CopiedParameter(master.FloatPointer, weight.BFloat16Pointer), weight.Length, gradient, firstMoment, secondMoment, settings);
        else if (weight.Type == DType.BF16)
            Update(new RoundedParameter(weight.BFloat16Pointer, settings.Rounding), weight.Length, gradient, firstMoment, secondMoment, settings);
        else
            Update(new FloatParameter(weight.FloatPointer), weight.Length, gradient, firstMoment, secondMoment, settings);
    }

    private void Update<P>(
        P parameter, long length, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings)
        where P : struct, IStoredParameter<P>
    {
        var update = new AdamWUpdate<P>(
            parameter, gradient.FloatPointer, firstMoment.FloatPointer, secondMoment.FloatPointer, length, settings);
        _pool.For((int)((length + StochasticRounding.Block - 1) / StochasticRounding.Block), update, grain: 1);
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

    /// <summary>How a parameter is kept between updates, which are done in floats.</summary>
    private interface IStoredParameter<P>
    {
        /// <summary>The parameter as it is for one block of elements.</summary>
        P Block(long block);

        V Load<W, V>(long i) where W : struct, IWidth<V> where V : struct;

        void Store<W, V>(V value, long i, uint inBlock) where W : struct, IWidth<V> where V : struct;
    }

    private readonly struct FloatParameter(float* weight) : IStoredParameter<FloatParameter>
    {
        public FloatParameter Block(long block) => this;

        public V Load<W, V>(long i) where W : struct, IWidth<V> where V : struct => W.Load(weight + i);

        public void Store<W, V>(V value, long i, uint inBlock) where W : struct, IWidth<V> where V : struct => W.Store(value, weight + i);
    }

    private readonly struct CopiedParameter(float* master, BFloat16* weight) : IStoredParameter<CopiedParameter>
    {
        public CopiedParameter Block(long block) => this;

        public V Load<W, V>(long i) where W : struct, IWidth<V> where V : struct => W.Load(master + i);

        public void Store<W, V>(V value, long i, uint inBlock) where W : struct, IWidth<V> where V : struct
        {
            W.Store(value, master + i);
            W.StoreNarrow(value, weight + i);
        }
    }

    private readonly struct SplitParameter(BFloat16* high, ushort* low) : IStoredParameter<SplitParameter>
    {
        public SplitParameter Block(long block) => this;

        public V Load<W, V>(long i) where W : struct, IWidth<V> where V : struct => W.LoadSplit(high + i, low + i);

        public void Store<W, V>(V value, long i, uint inBlock) where W : struct, IWidth<V> where V : struct =>
            W.StoreSplit(value, high + i, low + i);
    }

    private readonly struct RoundedParameter(BFloat16* weight, StochasticRounding rounding) : IStoredParameter<RoundedParameter>
    {
        public RoundedParameter Block(long block) => new(weight, rounding.OfBlock(block));

        public V Load<W, V>(long i) where W : struct, IWidth<V> where V : struct => W.LoadWide(weight + i);

        public void Store<W, V>(V value, long i, uint inBlock) where W : struct, IWidth<V> where V : struct =>
            W.StoreStochastic(value, weight + i, rounding, inBlock);
    }
}
