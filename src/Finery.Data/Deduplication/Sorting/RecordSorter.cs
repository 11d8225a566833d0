using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Finery.Data.Deduplication.Sorting;

/// <summary>Sorts any number of records in a fixed amount of memory: full buffers are sorted and spilled, then merged.</summary>
internal sealed class RecordSorter<T> : IDisposable
    where T : unmanaged, IComparable<T>
{
    private const int LeastBytes = 1 << 16;

    private readonly long _memoryBytes;
    private readonly int _capacity;
    private readonly SpillFile _spill;
    private byte[] _buffer;
    private int _filled;

    /// <param name="memoryBytes">For the buffer, growing it, and merging.</param>
    /// <param name="folder">For spilled runs.</param>
    public RecordSorter(long memoryBytes, string folder)
    {
        _memoryBytes = memoryBytes;
        _spill = new SpillFile(folder);
        // While the buffer doubles, the half and the whole of it exist at once.
        var records = Math.Clamp(memoryBytes / 3 * 2, LeastBytes, 1 << 30) / Unsafe.SizeOf<T>();
        _capacity = (int)records * Unsafe.SizeOf<T>();
        _buffer = new byte[Math.Min(_capacity, LeastBytes / Unsafe.SizeOf<T>() * Unsafe.SizeOf<T>())];
    }

    /// <summary>Number of spilled runs.</summary>
    public int Runs => _spill.Runs.Count;

    /// <summary>Records added.</summary>
    public long Count { get; private set; }

    public void Add(in T record)
    {
        if (_filled == _buffer.Length)
        {
            if (_filled >= _capacity)
                Spill();
            else
                Array.Resize(ref _buffer, (int)Math.Min(_filled * 2L, _capacity));
        }
        MemoryMarshal.Write(_buffer.AsSpan(_filled), in record);
        _filled += Unsafe.SizeOf<T>();
        Count++;
    }

    /// <summary>All records in order. Nothing may be added afterwards; the sorter must outlive the merge.</summary>
    public RecordMerge<StructOrder<T>> Sorted()
    {
        Sort();
        if (Runs == 0)
            return new(default, [new RecordSource(_buffer, _filled, Unsafe.SizeOf<T>())], _memoryBytes);
        Spill();
        _buffer = [];
        return new(default, _spill.Sources(Unsafe.SizeOf<T>()), _memoryBytes);
    }

    /// <summary>Writes all records in order to a file.</summary>
    public void WriteTo(string path)
    {
        using var writer = new RecordWriter(path);
        using var sorted = Sorted();
        while (sorted.MoveNext())
            writer.Write(sorted.Current);
        writer.Commit();
    }

    public void Dispose() => _spill.Dispose();

    private void Sort() => MemoryMarshal.Cast<byte, T>(_buffer.AsSpan(0, _filled)).Sort();

    private void Spill()
    {
        if (_filled == 0)
            return;
        Sort();
        _spill.Write(_buffer.AsSpan(0, _filled));
        _spill.EndRun();
        _filled = 0;
    }
}
