using System.Runtime.InteropServices;
using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Training.Losses.Distillation;

/// <summary>The likeliest tokens of every row that has a target, by a teacher's forward pass over one row of the batch at a time.</summary>
internal sealed class TeacherRows : IDisposable
{
    private const int ChunkRows = 32;

    private readonly Arena _arena = new("teacher");
    private readonly ModelInputs _inputs;
    private readonly Tape _tape, _head;
    private readonly Tensor _hidden, _chunk, _logits;
    private readonly int _most;
    private readonly double _topP;
    private readonly int[] _chunkIds;
    private readonly float[] _chunkLogs;
    private readonly int[] _chunkCounts = new int[ChunkRows];
    private readonly List<int> _ids = [];
    private readonly List<float> _logs = [];
    private ushort[] _counts = [];

    public TeacherRows(Kernels kernels, LlamaModel teacher, int length, int most, double topP)
    {
        (_most, _topP) = (Math.Min(most, ushort.MaxValue), topP);
        _inputs = new ModelInputs(_arena, length);
        _tape = new Tape(kernels, _arena, gradients: false, activations: teacher.WeightType);
        _hidden = _tape.Keep(teacher.Hidden(_tape, _inputs));
        _tape.Plan();
        _chunk = _arena.Allocate("rows", _hidden.Type, ChunkRows, _hidden.Columns);
        _head = new Tape(kernels, _arena, gradients: false);
        _logits = _head.Keep(teacher.Logits(_head, _chunk));
        _head.Plan();
        (_chunkIds, _chunkLogs) = (new int[ChunkRows * _most], new float[ChunkRows * _most]);
    }

    /// <summary>[N] entries of each row.</summary>
    public ReadOnlySpan<ushort> Counts => _counts;

    /// <summary>Of all rows, one after the other, the likeliest first.</summary>
    public ReadOnlySpan<int> Ids => CollectionsMarshal.AsSpan(_ids);

    /// <summary>Of <see cref="Ids"/>.</summary>
    public ReadOnlySpan<float> LogProbabilities => CollectionsMarshal.AsSpan(_logs);

    /// <summary>Fills the lists for a batch.</summary>
    public void Run(PackedBatch batch)
    {
        _ids.Clear();
        _logs.Clear();
        if (_counts.Length != batch.Count) _counts = new ushort[batch.Count];
        Array.Clear(_counts);
        for (int first = 0; first < batch.Count; first += _inputs.Tokens)
        {
            _inputs.Load(batch.Ids, batch.Positions, batch.Starts, first);
            _tape.Forward();
            int[] wanted = [.. Enumerable.Range(0, _inputs.Tokens).Where(i => batch.Targets[first + i] >= 0)];
            foreach (int[] rows in wanted.Chunk(ChunkRows)) RunChunk(rows, first);
        }
    }

    public void Dispose() => _arena.Dispose();

    private void RunChunk(int[] rows, int first)
    {
        int rowBytes = (int)(_hidden.ByteLength / _hidden.Rows);
        for (int i = 0; i < rows.Length; i++)
            _hidden.Bytes.Slice(rows[i] * rowBytes, rowBytes).CopyTo(_chunk.Bytes.Slice(i * rowBytes, rowBytes));
        _head.Forward();
        int vocabulary = _logits.Columns;
        Parallel.For(0, rows.Length, i => _chunkCounts[i] = LikeliestTokens.Select(
            Logits(i, vocabulary), _topP, _chunkIds.AsSpan(i * _most, _most), _chunkLogs.AsSpan(i * _most, _most)));
        for (int i = 0; i < rows.Length; i++)
        {
            int count = _chunkCounts[i];
            _counts[first + rows[i]] = (ushort)count;
            _ids.AddRange(_chunkIds.AsSpan(i * _most, count));
            _logs.AddRange(_chunkLogs.AsSpan(i * _most, count));
        }
    }

    private float[] Logits(int row, int vocabulary)
    {
        var values = new float[vocabulary];
        if (_logits.Type == DType.F32) _logits.Floats.Slice(row * vocabulary, vocabulary).CopyTo(values);
        else for (int v = 0; v < vocabulary; v++) values[v] = (float)_logits.BFloat16s[row * vocabulary + v];
        return values;
    }
}

/// <summary>Top-p, then top-k.</summary>
internal static class LikeliestTokens
{
    /// <summary>The fewest likeliest tokens that have at least <paramref name="topP"/> together, at most as many as fit; of equal ones those
    /// with smaller ids.</summary>
    /// <param name="logits">[V].</param>
    /// <param name="topP">Probability to reach.</param>
    /// <param name="ids">Receives them, the likeliest first.</param>
    /// <param name="logProbabilities">Receives their log-probabilities among all V.</param>
    /// <returns>How many.</returns>
    public static int Select(ReadOnlySpan<float> logits, double topP, Span<int> ids, Span<float> logProbabilities)
    {
        float max = float.NegativeInfinity;
        foreach (float logit in logits) max = Math.Max(max, logit);
        double sum = 0;
        foreach (float logit in logits) sum += MathF.Exp(logit - max);
        if (!double.IsFinite(sum)) throw new InvalidDataException("The teacher's logits are not finite.");
        double logSum = Math.Log(sum) + max;

        // A heap whose root is the least likely of the tokens kept.
        var heap = new PriorityQueue<int, (float Logit, int Id)>(ids.Length + 1);
        for (int v = 0; v < logits.Length; v++)
        {
            if (heap.Count < ids.Length) heap.Enqueue(v, (logits[v], -v));
            else if (logits[v] > logits[heap.Peek()]) heap.EnqueueDequeue(v, (logits[v], -v));
        }
        int count = heap.Count;
        for (int i = count - 1; i >= 0; i--) ids[i] = heap.Dequeue();
        double mass = 0;
        for (int i = 0; i < count; i++)
        {
            double log = logits[ids[i]] - logSum;
            logProbabilities[i] = (float)log;
            mass += Math.Exp(log);
            if (mass >= topP && topP < 1) return i + 1;
        }
        return count;
    }
}
