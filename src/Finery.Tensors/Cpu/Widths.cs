using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using F128 = System.Runtime.Intrinsics.Vector128<float>;
using F256 = System.Runtime.Intrinsics.Vector256<float>;
using F512 = System.Runtime.Intrinsics.Vector512<float>;

namespace Finery.Tensors;

/// <summary>Float vectors of one instruction width. Kernels written over these static members compile to that width's code.</summary>
/// <typeparam name="V">The vector.</typeparam>
internal unsafe partial interface IWidth<V> where V : struct
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Count { get; }

    static abstract V Load(float* source);

    static abstract void Store(V value, float* destination);

    static abstract V Broadcast(float value);

    static abstract V Add(V a, V b);

    static abstract V Subtract(V a, V b);

    static abstract V Multiply(V a, V b);

    static abstract V Divide(V a, V b);

    static abstract V Sqrt(V value);

    /// <summary><c>a b + c</c>, fused where the processor can.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>The larger; NaN where <paramref name="b"/> is NaN.</summary>
    static abstract V Max(V a, V b);

    /// <summary><paramref name="then"/> where <paramref name="test"/> is at least zero, <paramref name="otherwise"/> where it is below or
    /// NaN.</summary>
    static abstract V WhereNotNegative(V test, V then, V otherwise);

    /// <summary><c>e^x</c> within 2 units in the last place.</summary>
    static abstract V Exp(V x);

    /// <summary><c>e^x</c> for <c>x &lt;= 0</c> or NaN, in fewer steps.</summary>
    static abstract V ExpNonPositive(V x);

    /// <summary>The largest element; where there is a NaN, any.</summary>
    static abstract float Largest(V value);

    /// <summary>Sum of the elements, in an order that depends only on the width.</summary>
    static abstract float Sum(V value);
}

internal readonly unsafe partial struct Width512 : IWidth<F512>
{
    public static int Count => 16;
    public static F512 Load(float* source) => Vector512.Load(source);
    public static void Store(F512 value, float* destination) => value.Store(destination);
    public static F512 Broadcast(float value) => Vector512.Create(value);
    public static F512 Add(F512 a, F512 b) => a + b;
    public static F512 Subtract(F512 a, F512 b) => a - b;
    public static F512 Multiply(F512 a, F512 b) => a * b;
    public static F512 Divide(F512 a, F512 b) => a / b;
    public static F512 Sqrt(F512 value) => Vector512.Sqrt(value);
    public static F512 MultiplyAdd(F512 a, F512 b, F512 c) => VectorMath.MultiplyAdd(a, b, c);
    public static F512 Max(F512 a, F512 b) => Vector512.MaxNative(a, b);
    public static F512 WhereNotNegative(F512 test, F512 then, F512 otherwise) =>
        Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(test, F512.Zero), then, otherwise);
    public static F512 Exp(F512 x) => VectorMath.Exp(x);
    public static F512 ExpNonPositive(F512 x) => VectorMath.ExpNonPositive(x);
    public static float Largest(F512 value) => Width256.Largest(Vector256.MaxNative(value.GetLower(), value.GetUpper()));
    public static float Sum(F512 value) => Vector512.Sum(value);
}

internal readonly unsafe partial struct Width256 : IWidth<F256>
{
    public static int Count => 8;
    public static F256 Load(float* source) => Vector256.Load(source);
    public static void Store(F256 value, float* destination) => value.Store(destination);
    public static F256 Broadcast(float value) => Vector256.Create(value);
    public static F256 Add(F256 a, F256 b) => a + b;
    public static F256 Subtract(F256 a, F256 b) => a - b;
    public static F256 Multiply(F256 a, F256 b) => a * b;
    public static F256 Divide(F256 a, F256 b) => a / b;
    public static F256 Sqrt(F256 value) => Vector256.Sqrt(value);
    public static F256 MultiplyAdd(F256 a, F256 b, F256 c) => VectorMath.MultiplyAdd(a, b, c);
    public static F256 Max(F256 a, F256 b) => Vector256.MaxNative(a, b);
    public static F256 WhereNotNegative(F256 test, F256 then, F256 otherwise) =>
        Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(test, F256.Zero), then, otherwise);
    public static F256 Exp(F256 x) => VectorMath.Exp(x);
    public static F256 ExpNonPositive(F256 x) => VectorMath.ExpNonPositive(x);
    public static float Largest(F256 value) => Width128.Largest(Vector128.MaxNative(value.GetLower(), value.GetUpper()));
    public static float Sum(F256 value) => Vector256.Sum(value);
}

internal readonly unsafe partial struct Width128 : IWidth<F128>
{
    public static int Count => 4;
    public static F128 Load(float* source) => Vector128.Load(source);
    public static void Store(F128 value, float* destination) => value.Store(destination);
    public static F128 Broadcast(float value) => Vector128.Create(value);
    public static F128 Add(F128 a, F128 b) => a + b;
    public static F128 Subtract(F128 a, F128 b) => a - b;
    public static F128 Multiply(F128 a, F128 b) => a * b;
    public static F128 Divide(F128 a, F128 b) => a / b;
    public static F128 Sqrt(F128 value) => Vector128.Sqrt(value);
    public static F128 MultiplyAdd(F128 a, F128 b, F128 c) => VectorMath.MultiplyAdd(a, b, c);
    public static F128 Max(F128 a, F128 b) => Vector128.MaxNative(a, b);
    public static F128 WhereNotNegative(F128 test, F128 then, F128 otherwise) =>
        Vector128.ConditionalSelect(Vector128.GreaterThanOrEqual(test, F128.Zero), then, otherwise);
    public static F128 Exp(F128 x) => VectorMath.Exp(x);
    public static F128 ExpNonPositive(F128 x) => VectorMath.ExpNonPositive(x);
    public static float Largest(F128 value)
    {
        var pairs = Vector128.MaxNative(value, Vector128.Shuffle(value, Vector128.Create(2, 3, 0, 1)));
        return Math.Max(pairs[0], pairs[1]);
    }
    public static float Sum(F128 value) => Vector128.Sum(value);
}

/// <summary>One float at a time: the tail of every loop, and processors without vectors.</summary>
internal readonly unsafe partial struct Scalar : IWidth<float>
{
    public static int Count => 1;
    public static float Load(float* source) => *source;
    public static void Store(float value, float* destination) => *destination = value;
    public static float Broadcast(float value) => value;
    public static float Add(float a, float b) => a + b;
    public static float Subtract(float a, float b) => a - b;
    public static float Multiply(float a, float b) => a * b;
    public static float Divide(float a, float b) => a / b;
    public static float Sqrt(float value) => MathF.Sqrt(value);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAdd(float a, float b, float c) =>
        Fma.IsSupported || AdvSimd.IsSupported ? float.FusedMultiplyAdd(a, b, c) : a * b + c;
    public static float Max(float a, float b) => a > b ? a : b;
    public static float WhereNotNegative(float test, float then, float otherwise) => test >= 0 ? then : otherwise;
    public static float Exp(float x) => MathF.Exp(x);
    public static float ExpNonPositive(float x) => MathF.Exp(x);
    public static float Largest(float value) => value;
    public static float Sum(float value) => value;
}

/// <summary>The body of a parallel loop, written once for all instruction widths.</summary>
internal interface IVectorBody
{
    /// <inheritdoc cref="IParallelBody.Run"/>
    void Run<W, V>(int index, int worker) where W : struct, IWidth<V> where V : struct;
}

/// <summary>The choice of the width.</summary>
internal static class Widths
{
    /// <summary>Runs <paramref name="body"/> for 0..<paramref name="count"/>-1 in the widest instructions this processor has,
    /// <paramref name="grain"/> consecutive calls to a task.</summary>
    public static void For<TBody>(this WorkerPool pool, int count, in TBody body, int grain) where TBody : struct, IVectorBody
    {
        int tasks = (count + grain - 1) / grain;
        if (Vector512.IsHardwareAccelerated) pool.For(tasks, new AtWidth<TBody, Width512, F512>(body, count, grain));
        else if (Vector256.IsHardwareAccelerated) pool.For(tasks, new AtWidth<TBody, Width256, F256>(body, count, grain));
        else if (Vector128.IsHardwareAccelerated) pool.For(tasks, new AtWidth<TBody, Width128, F128>(body, count, grain));
        else pool.For(tasks, new AtWidth<TBody, Scalar, float>(body, count, grain));
    }

    /// <summary>Runs <paramref name="body"/> once, on this thread, in the widest instructions this processor has.</summary>
    public static void Run<TBody>(in TBody body) where TBody : struct, IVectorBody
    {
        if (Vector512.IsHardwareAccelerated) body.Run<Width512, F512>(0, 0);
        else if (Vector256.IsHardwareAccelerated) body.Run<Width256, F256>(0, 0);
        else if (Vector128.IsHardwareAccelerated) body.Run<Width128, F128>(0, 0);
        else body.Run<Scalar, float>(0, 0);
    }

    private readonly struct AtWidth<TBody, W, V>(TBody body, int count, int grain) : IParallelBody
        where TBody : struct, IVectorBody where W : struct, IWidth<V> where V : struct
    {
        public void Run(int task, int worker)
        {
            int end = Math.Min(count, (task + 1) * grain);
            for (int i = task * grain; i < end; i++) body.Run<W, V>(i, worker);
        }
    }
}
