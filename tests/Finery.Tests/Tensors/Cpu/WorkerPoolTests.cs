using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Cpu;

public sealed unsafe class WorkerPoolTests
{
    private readonly struct Count(int* counts, int* workers, int threads) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            if ((uint)worker < (uint)threads) Interlocked.Increment(ref workers[worker]);
            Interlocked.Increment(ref counts[task]);
        }
    }

    private readonly struct Fail(int at) : IParallelBody
    {
        public void Run(int task, int worker)
        {
            if (task == at) throw new FormatException($"task {task}");
        }
    }

    private readonly struct Nested(WorkerPool pool) : IParallelBody
    {
        public void Run(int task, int worker) => pool.For(2, this);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public void Every_task_runs_once_in_every_loop(int threads)
    {
        using var pool = new WorkerPool(threads);
        int* counts = stackalloc int[64], workers = stackalloc int[threads];
        int total = 0;
        for (int loop = 0; loop < 3000; loop++)
        {
            int tasks = loop % 64;
            new Span<int>(counts, 64).Clear();
            pool.For(tasks, new Count(counts, workers, threads));
            for (int i = 0; i < 64; i++) Assert.Equal(i < tasks ? 1 : 0, counts[i]);
            total += tasks;
            // Now and then long enough for workers to fall asleep, or just about to.
            if (loop % 500 == 0) Thread.Sleep(3);
            else if (loop % 10 == 0) Thread.SpinWait(loop * 7);
        }
        int counted = 0;
        for (int i = 0; i < threads; i++) counted += workers[i];
        Assert.Equal(total, counted);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void The_exception_of_a_task_is_thrown_by_the_loop_and_the_pool_lives_on(int threads)
    {
        using var pool = new WorkerPool(threads);
        int* counts = stackalloc int[8], workers = stackalloc int[threads];
        for (int loop = 0; loop < 50; loop++)
            Assert.Equal("task 5", Assert.Throws<FormatException>(() => pool.For(8, new Fail(5))).Message);
        pool.For(8, new Count(counts, workers, threads));
        for (int i = 0; i < 8; i++) Assert.Equal(1, counts[i]);
    }

    [Fact]
    public void A_loop_within_a_loop_is_refused()
    {
        using var pool = new WorkerPool(2);
        Assert.Throws<InvalidOperationException>(() => pool.For(2, new Nested(pool)));
    }

    [Fact]
    public void Disposing_twice_while_workers_sleep_or_spin_ends_them()
    {
        for (int i = 0; i < 20; i++)
        {
            var pool = new WorkerPool(4);
            if (i % 2 == 0) Thread.Sleep(2);
            pool.Dispose();
            pool.Dispose();
        }
    }

    [Fact]
    public void No_threads_or_absurdly_many_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(1 << 20));
    }
}
