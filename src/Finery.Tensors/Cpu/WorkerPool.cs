using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Finery.Tensors;

/// <summary>The body of a parallel loop: a struct, so that a loop allocates nothing.</summary>
internal interface IParallelBody
{
    /// <summary>Runs one of the loop's independent tasks. Which worker runs it, and when, must not matter.</summary>
    /// <param name="task">Index of the task.</param>
    /// <param name="worker">Index of the thread in [0, threads), for scratch memory.</param>
    void Run(int task, int worker);
}

/// <summary>Persistent threads that run loops of independent tasks. One loop at a time; not re-entrant.</summary>
/// <remarks>A worker joins a loop only while it is open, so a loop never waits for a worker that wakes late: the caller alone can finish
/// it. Each sleeping worker has its own semaphore, so no other can take its wake-up.</remarks>
internal sealed unsafe class WorkerPool : IDisposable
{
    // An idle worker spins this long, about 0.2 ms, before it sleeps: longer than the gap between two ops of a training step.
    private const int SpinIterations = 300;

    // The state is loop number | open | workers inside.
    private const long Open = 1L << 16;
    private const long WorkerMask = Open - 1;
    private const int LoopShift = 17;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _asleep;
    private readonly int _spins;
    private delegate*<void*, int, int, void> _run;
    private void* _body;
    private int _tasks;
    private int _next;
    private int _busy;
    private long _state;
    private volatile bool _stop;
    private Exception? _failure;

    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, (int)WorkerMask);
        Threads = threads;
        // Spinning on more threads than processors takes time from those that work.
        _spins = threads <= Environment.ProcessorCount ? SpinIterations : 0;
        _threads = new Thread[threads - 1];
        _wake = new SemaphoreSlim[_threads.Length];
        _asleep = new int[_threads.Length];
        for (int i = 0; i < _threads.Length; i++)
        {
            int index = i;
            _wake[i] = new SemaphoreSlim(0);
            _threads[i] = new Thread(() => Work(index)) { IsBackground = true, Name = $"finery-{i + 1}" };
        }
        foreach (var thread in _threads) thread.Start();
    }

    public int Threads { get; }

    /// <summary>Runs tasks 0..<paramref name="tasks"/>-1 and returns when all are done.</summary>
    /// <exception cref="InvalidOperationException">Another loop is running.</exception>
    /// <remarks>Where a task throws, the rest is abandoned and the first exception thrown again here.</remarks>
    public void For<TBody>(int tasks, TBody body) where TBody : struct, IParallelBody
    {
        if (Interlocked.Exchange(ref _busy, 1) != 0)
            throw new InvalidOperationException("These kernels are already running an op: use one instance per calling thread.");
        try
        {
            if (tasks <= 1 || _threads.Length == 0)
            {
                for (int task = 0; task < tasks; task++) body.Run(task, 0);
                return;
            }

            // The body lives on this frame, which outlives the loop: workers reach it by address.
            _body = Unsafe.AsPointer(ref body);
            _run = &Invoke<TBody>;
            _tasks = tasks;
            _next = 0;
            _failure = null;
            Interlocked.Exchange(ref _state, (((_state >> LoopShift) + 1) << LoopShift) | Open);
            WakeSleepers(Math.Min(tasks - 1, _threads.Length));

            Drain(0);
            Interlocked.And(ref _state, ~Open);
            var spinner = new SpinWait();
            while ((Volatile.Read(ref _state) & WorkerMask) != 0) spinner.SpinOnce(-1);
            if (_failure is { } failure) ExceptionDispatchInfo.Throw(failure);
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    public void Dispose()
    {
        if (_stop) return;
        _stop = true;
        foreach (var wake in _wake) wake.Release();
        foreach (var thread in _threads) thread.Join();
        foreach (var wake in _wake) wake.Dispose();
    }

    private static void Invoke<TBody>(void* body, int task, int worker) where TBody : struct, IParallelBody =>
        Unsafe.AsRef<TBody>(body).Run(task, worker);

    private void WakeSleepers(int count)
    {
        for (int i = 0; i < count; i++)
        {
            if (Interlocked.Exchange(ref _asleep[i], 0) != 0) _wake[i].Release();
        }
    }

    private void Work(int index)
    {
        long seen = 0;
        while (!_stop)
        {
            if (!Await(index, seen)) continue;
            long state = Volatile.Read(ref _state);
            while ((state & Open) != 0)
            {
                long before = Interlocked.CompareExchange(ref _state, state + 1, state);
                if (before == state)
                {
                    Drain(index + 1);
                    Interlocked.Decrement(ref _state);
                    break;
                }
                state = before;
            }
            seen = state >> LoopShift;
        }
    }

    /// <summary>Spins, then sleeps, until there may be a loop later than <paramref name="seen"/>.</summary>
    private bool Await(int index, long seen)
    {
        for (int spin = 0; spin < _spins; spin++)
        {
            if (_stop || Volatile.Read(ref _state) >> LoopShift != seen) return true;
            Thread.SpinWait(20);
        }
        // Announce sleep, then look again: a loop opened in between either sees the announcement or is seen here.
        Interlocked.Exchange(ref _asleep[index], 1);
        bool opened = _stop || Volatile.Read(ref _state) >> LoopShift != seen;
        // Where the announcement was already taken back, a wake-up is on its way and must be consumed.
        if (!opened || Interlocked.Exchange(ref _asleep[index], 0) == 0) _wake[index].Wait();
        return opened || Volatile.Read(ref _state) >> LoopShift != seen;
    }

    private void Drain(int worker)
    {
        try
        {
            for (int task; (task = Interlocked.Increment(ref _next) - 1) < _tasks;) _run(_body, task, worker);
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref _failure, exception, null);
            Volatile.Write(ref _next, _tasks);
        }
    }
}
