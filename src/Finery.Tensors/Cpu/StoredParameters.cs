using System.Runtime.CompilerServices;

namespace Finery.Tensors;

// The four ways in which weights are kept between updates, for every op that updates them.
public sealed unsafe partial class CpuKernels
{
    private static void OnParameter<TUse>(Tensor weight, Tensor? master, StochasticRounding rounding, TUse use)
        where TUse : struct, IParameterUse
    {
        if (master?.Type == DType.U16) use.Run(new SplitParameter(weight.BFloat16Pointer, master.UInt16Pointer));
        else if (master is not null) use.Run(new CopiedParameter(master.FloatPointer, weight.BFloat16Pointer));
        else if (weight.Type == DType.BF16) use.Run(new RoundedParameter(weight.BFloat16Pointer, rounding));
        else use.Run(new FloatParameter(weight.FloatPointer));
    }

    /// <summary>Replaces elements <paramref name="from"/> to <paramref name="to"/> (exclusive) of a parameter.</summary>
    private void Update<TMap>(Tensor weight, Tensor? master, StochasticRounding rounding, long from, long to, TMap map)
        where TMap : struct, IParameterMap => OnParameter(weight, master, rounding, new MapUse<TMap>(_pool, map, from, to));

    /// <summary>Work on a parameter, compiled for each way it may be kept.</summary>
    private interface IParameterUse
    {
        void Run<P>(P parameter) where P : struct, IStoredParameter<P>;
    }

    /// <summary>What becomes of each element of a parameter.</summary>
    private interface IParameterMap
    {
        /// <summary>The elements from index <paramref name="i"/> on, given what they are.</summary>
        V Next<W, V>(V value, long i) where W : struct, IWidth<V> where V : struct;
    }

    private readonly struct MapUse<TMap>(WorkerPool pool, TMap map, long from, long to) : IParameterUse where TMap : struct, IParameterMap
    {
        public void Run<P>(P parameter) where P : struct, IStoredParameter<P>
        {
            if (from >= to) return;
            long first = from / StochasticRounding.Block;
            pool.For((int)((to - 1) / StochasticRounding.Block - first + 1), new MapBlock<P, TMap>(parameter, map, first, from, to), grain: 1);
        }
    }

    private readonly struct MapBlock<P, TMap>(P parameter, TMap map, long first, long from, long to) : IVectorBody
        where P : struct, IStoredParameter<P> where TMap : struct, IParameterMap
    {
        public void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct
        {
            long start = (first + index) * StochasticRounding.Block, end = Math.Min(to, start + StochasticRounding.Block);
            var block = parameter.Block(first + index);
            long done = Run<W, V>(block, start, Math.Max(from, start), end);
            Run<Scalar, float>(block, start, done, end);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private long Run<W, V>(P block, long start, long i, long end) where W : struct, IWidth<V> where V : struct
        {
            for (; i <= end - W.Count; i += W.Count)
                block.Store<W, V>(map.Next<W, V>(block.Load<W, V>(i), i), i, (uint)(i - start));
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
