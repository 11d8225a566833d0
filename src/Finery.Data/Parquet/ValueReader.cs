using System.Buffers.Binary;
using System.Text;

namespace Finery.Data.Parquet;

/// <summary>Reads the values of a page, one encoding each. What a column's type does not have is never asked for.</summary>
internal abstract class ValueReader
{
    /// <summary>The next value of an integer or truth column.</summary>
    public virtual long Integer() => throw Unexpected();

    /// <summary>The next value of a floating-point column.</summary>
    public virtual double Real() => throw Unexpected();

    /// <summary>The next value of a column of byte arrays, valid until the next call.</summary>
    public virtual ReadOnlySpan<byte> Bytes() => throw Unexpected();

    /// <summary>The next value of a column of byte arrays as text.</summary>
    public virtual string Text() => Encoding.UTF8.GetString(Bytes());

    private static InvalidDataException Unexpected() => new("Damaged Parquet page: its encoding does not fit the column's type.");

    protected static InvalidDataException CutOff() => new("Damaged Parquet page: its values are cut off.");

    /// <summary>Passes over the next value.</summary>
    public void Skip(PhysicalType type)
    {
        switch (type)
        {
            case PhysicalType.Float or PhysicalType.Double:
                Real();
                break;
            case PhysicalType.ByteArray or PhysicalType.FixedLengthByteArray:
                Bytes();
                break;
            default:
                Integer();
                break;
        }
    }

    /// <summary>The reader for an encoding.</summary>
    /// <param name="encoding">Its number.</param>
    /// <param name="leaf">The column.</param>
    /// <param name="data">The page.</param>
    /// <param name="start">Where the values begin.</param>
    /// <param name="end">Where they end.</param>
    /// <param name="count">How many entries the page has; values at most.</param>
    /// <param name="dictionary">The values of the dictionary page, if there was one.</param>
    public static ValueReader Create(
        int encoding, SchemaNode leaf, byte[] data, int start, int end, int count, DictionaryPage? dictionary) => encoding switch
        {
            0 => new PlainReader(leaf, data, start, end),
            2 or 8 => new DictionaryReader(
                dictionary ?? throw new InvalidDataException("Damaged Parquet page: its dictionary is missing."),
                data, start, end),
            3 when leaf.Type == PhysicalType.Boolean => new BooleanReader(data, start, end),
            5 when leaf.Type is PhysicalType.Int32 or PhysicalType.Int64 =>
                new DeltaIntegerReader(data, start, end, count, leaf.Type),
            6 when leaf.Type == PhysicalType.ByteArray => new DeltaLengthReader(data, start, end, count),
            7 when leaf.Type is PhysicalType.ByteArray or PhysicalType.FixedLengthByteArray =>
                new DeltaBytesReader(data, start, end, count),
            9 => new SplitReader(leaf, data, start, end),
            _ => throw new InvalidDataException(
                $"Column '{leaf.Name}' of the Parquet file has encoding {encoding}, which Finery does not read."),
        };

    /// <summary>Bytes of a value of fixed size; 0 for others.</summary>
    protected static int SizeOf(SchemaNode leaf) => leaf.Type switch
    {
        PhysicalType.Int32 or PhysicalType.Float => 4,
        PhysicalType.Int64 or PhysicalType.Double => 8,
        PhysicalType.FixedLengthByteArray => leaf.TypeLength,
        _ => 0,
    };

    private sealed class PlainReader(SchemaNode leaf, byte[] data, int start, int end) : ValueReader
    {
        private int _position = start;
        private int _bit;

        private ReadOnlySpan<byte> Take(long count)
        {
            if (count > end - _position)
                throw CutOff();
            _position += (int)count;
            return data.AsSpan(_position - (int)count, (int)count);
        }

        public override long Integer()
        {
            switch (leaf.Type)
            {
                case PhysicalType.Int32:
                    return BinaryPrimitives.ReadInt32LittleEndian(Take(4));
                case PhysicalType.Int64:
                    return BinaryPrimitives.ReadInt64LittleEndian(Take(8));
                default:
                    if (_position >= end)
                        throw CutOff();
                    var value = (data[_position] >> _bit) & 1;
                    _bit = (_bit + 1) & 7;
                    _position += _bit == 0 ? 1 : 0;
                    return value;
            }
        }

        public override double Real() => leaf.Type == PhysicalType.Float
            ? BinaryPrimitives.ReadSingleLittleEndian(Take(4)) : BinaryPrimitives.ReadDoubleLittleEndian(Take(8));

        public override ReadOnlySpan<byte> Bytes() => Take(
            leaf.Type == PhysicalType.FixedLengthByteArray ? leaf.TypeLength : BinaryPrimitives.ReadUInt32LittleEndian(Take(4)));
    }

    private sealed class DictionaryReader : ValueReader
    {
        private readonly DictionaryPage _dictionary;
        private HybridReader _indices;

        public DictionaryReader(DictionaryPage dictionary, byte[] data, int start, int end)
        {
            if (start >= end)
            {
                // A page of nulls only may have no values at all.
                (_dictionary, _indices) = (dictionary, new HybridReader(data, end, end, 1));
                return;
            }
            (_dictionary, _indices) = (dictionary, new HybridReader(data, start + 1, end, data[start]));
        }

        public override long Integer() => _dictionary.Integer(_indices.Next());

        public override double Real() => _dictionary.Real(_indices.Next());

        public override ReadOnlySpan<byte> Bytes() => _dictionary.Bytes(_indices.Next());

        public override string Text() => _dictionary.Text(_indices.Next());
    }

    private sealed class BooleanReader : ValueReader
    {
        private HybridReader _bits;

        public BooleanReader(byte[] data, int start, int end)
        {
            if (end - start < 4)
                throw CutOff();
            var length = BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(start));
            _bits = new HybridReader(data, start + 4, (int)Math.Min(end, start + 4 + (long)length), 1);
        }

        public override long Integer() => _bits.Next();
    }

    private sealed class DeltaIntegerReader(byte[] data, int start, int end, int count, PhysicalType type) : ValueReader
    {
        private DeltaReader _values = new(data, start, end, count);

        public override long Integer() => type == PhysicalType.Int32 ? (int)_values.Next() : _values.Next();
    }

    private sealed class DeltaLengthReader : ValueReader
    {
        private readonly byte[] _data;
        private readonly int _end;
        private DeltaReader _lengths;
        private int _position;

        public DeltaLengthReader(byte[] data, int start, int end, int count)
        {
            (_data, _end) = (data, end);
            _lengths = new DeltaReader(data, start, end, count);
            var scan = _lengths;
            _position = scan.SkipAll();
        }

        public override ReadOnlySpan<byte> Bytes()
        {
            var length = _lengths.Next();
            if (length < 0 || length > _end - _position)
                throw CutOff();
            _position += (int)length;
            return _data.AsSpan(_position - (int)length, (int)length);
        }
    }

    private sealed class DeltaBytesReader : ValueReader
    {
        private readonly DeltaLengthReader _suffixes;
        private DeltaReader _prefixes;
        private byte[] _value = new byte[256];
        private int _length;

        public DeltaBytesReader(byte[] data, int start, int end, int count)
        {
            _prefixes = new DeltaReader(data, start, end, count);
            var scan = _prefixes;
            _suffixes = new DeltaLengthReader(data, scan.SkipAll(), end, count);
        }

        public override ReadOnlySpan<byte> Bytes()
        {
            var prefix = _prefixes.Next();
            var suffix = _suffixes.Bytes();
            if (prefix < 0 || prefix > _length)
                throw CutOff();
            _length = (int)prefix + suffix.Length;
            if (_length > _value.Length)
                Array.Resize(ref _value, (int)Math.Min(Array.MaxLength, _length * 2L));
            suffix.CopyTo(_value.AsSpan((int)prefix));
            return _value.AsSpan(0, _length);
        }
    }

    /// <summary>The first bytes of all values, then the second ones, and so on.</summary>
    private sealed class SplitReader : ValueReader
    {
        private readonly SchemaNode _leaf;
        private readonly byte[] _data;
        private readonly byte[] _value;
        private readonly int _start, _count;
        private int _index;

        public SplitReader(SchemaNode leaf, byte[] data, int start, int end)
        {
            var size = SizeOf(leaf);
            if (size == 0 || (end - start) % size != 0)
                throw CutOff();
            (_leaf, _data, _start, _count, _value) = (leaf, data, start, (end - start) / size, new byte[size]);
        }

        public override ReadOnlySpan<byte> Bytes()
        {
            if (_index >= _count)
                throw CutOff();
            for (var i = 0; i < _value.Length; i++)
                _value[i] = _data[_start + i * _count + _index];
            _index++;
            return _value;
        }

        public override long Integer() => _leaf.Type == PhysicalType.Int32
            ? BinaryPrimitives.ReadInt32LittleEndian(Bytes()) : BinaryPrimitives.ReadInt64LittleEndian(Bytes());

        public override double Real() => _leaf.Type == PhysicalType.Float
            ? BinaryPrimitives.ReadSingleLittleEndian(Bytes()) : BinaryPrimitives.ReadDoubleLittleEndian(Bytes());
    }
}

/// <summary>The distinct values of a column chunk.</summary>
internal sealed class DictionaryPage
{
    private readonly byte[] _data;
    private readonly long[] _integers = [];
    private readonly double[] _reals = [];
    private readonly (int Start, int Length)[] _ranges = [];
    private readonly string?[] _texts = [];

    /// <summary>Reads a dictionary page of plain values.</summary>
    public DictionaryPage(SchemaNode leaf, byte[] data, int length, int count)
    {
        // A value takes a bit at least, and what is no truth value some bytes.
        if (count > length * 8L || (leaf.Type == PhysicalType.ByteArray && count > length / 4))
            throw new InvalidDataException("Damaged Parquet page: a dictionary is shorter than it says.");
        _data = data;
        var reader = ValueReader.Create(0, leaf, data, 0, length, count, null);
        switch (leaf.Type)
        {
            case PhysicalType.ByteArray or PhysicalType.FixedLengthByteArray:
                _ranges = new (int, int)[count];
                _texts = new string?[count];
                for (int i = 0, position = 0; i < count; i++)
                {
                    var size = reader.Bytes().Length;
                    position += leaf.Type == PhysicalType.ByteArray ? 4 : 0;
                    _ranges[i] = (position, size);
                    position += size;
                }
                break;
            case PhysicalType.Float or PhysicalType.Double:
                _reals = new double[count];
                for (var i = 0; i < count; i++)
                    _reals[i] = reader.Real();
                break;
            default:
                _integers = new long[count];
                for (var i = 0; i < count; i++)
                    _integers[i] = reader.Integer();
                break;
        }
    }

    public long Integer(int index) => (uint)index < (uint)_integers.Length ? _integers[index] : throw Outside();

    public double Real(int index) => (uint)index < (uint)_reals.Length ? _reals[index] : throw Outside();

    public ReadOnlySpan<byte> Bytes(int index)
    {
        var (start, length) = (uint)index < (uint)_ranges.Length ? _ranges[index] : throw Outside();
        return _data.AsSpan(start, length);
    }

    /// <summary>A value as text, the same string each time.</summary>
    public string Text(int index) =>
        (uint)index < (uint)_texts.Length ? _texts[index] ??= Encoding.UTF8.GetString(Bytes(index)) : throw Outside();

    private static InvalidDataException Outside() => new("Damaged Parquet page: it refers to a value outside the dictionary.");
}
