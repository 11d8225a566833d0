using System.Text;

namespace Finery.Data.Readers;

/// <summary>
/// Cuts text into rows of fields (RFC 4180): fields in quotes may hold delimiters, line ends and doubled quotes; rows end with
/// <c>\n</c>, <c>\r\n</c> or <c>\r</c>; empty lines are no rows. Leniently, a quote inside an unquoted field is itself. Memory is
/// bounded by <paramref name="maxRowLength"/> UTF-16 units: a longer row is passed over.
/// </summary>
internal sealed class CsvRows(TextReader reader, char delimiter, int maxRowLength)
{
    private readonly char[] _buffer = new char[1 << 15];
    private readonly StringBuilder _field = new();
    private int _start;
    private int _end;

    /// <summary>Line on which the row returned last starts, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>Whether the row returned last was too long, and is empty for that.</summary>
    public bool IsTooLong { get; private set; }

    /// <summary>Whether the text ended inside quotes.</summary>
    public bool IsUnclosed { get; private set; }

    private long _line = 1;

    /// <summary>Reads a row into <paramref name="fields"/>.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="InvalidDataException">The compressed stream is damaged.</exception>
    public bool TryRead(List<string> fields)
    {
        fields.Clear();
        _field.Clear();
        IsTooLong = false;
        while (Peek() is '\r' or '\n')
            _line += _buffer[_start++] == '\n' ? 1 : 0;
        if (Peek() < 0)
            return false;
        Line = _line;
        var length = 0;
        while (true)
        {
            if (Peek() == '"')
            {
                _start++;
                ReadQuoted(ref length);
            }
            ReadPlain(ref length);
            fields.Add(_field.ToString());
            _field.Clear();
            var c = Peek();
            _start++;
            if (c == delimiter)
                continue;
            if (c == '\r' && Peek() == '\n')
                _start++;
            _line++;
            break;
        }
        if (IsTooLong)
            fields.Clear();
        return true;
    }

    /// <summary>Up to the delimiter or line end.</summary>
    private void ReadPlain(ref int length)
    {
        while (Peek() >= 0)
        {
            var ahead = _buffer.AsSpan(_start, _end - _start);
            var end = ahead.IndexOfAny(delimiter, '\r', '\n');
            Append(end < 0 ? ahead : ahead[..end], ref length);
            if (end >= 0)
                return;
        }
    }

    /// <summary>The rest of a field after its opening quote, up to the closing one.</summary>
    private void ReadQuoted(ref int length)
    {
        while (Peek() >= 0)
        {
            var ahead = _buffer.AsSpan(_start, _end - _start);
            var end = ahead.IndexOf('"');
            var piece = end < 0 ? ahead : ahead[..end];
            _line += piece.Count('\n');
            Append(piece, ref length);
            if (end < 0)
                continue;
            _start++;
            if (Peek() != '"')
                return;
            Append(_buffer.AsSpan(_start, 1), ref length);
        }
        IsUnclosed = true;
    }

    /// <summary>Takes characters that are ahead into the field.</summary>
    private void Append(ReadOnlySpan<char> piece, ref int length)
    {
        _start += piece.Length;
        length = (int)Math.Min(int.MaxValue, (long)length + piece.Length);
        if (length <= maxRowLength)
            _field.Append(piece);
        else
        {
            IsTooLong = true;
            _field.Clear();
        }
    }

    private int Peek() => _start < _end || Fill() ? _buffer[_start] : -1;

    private bool Fill()
    {
        _start = 0;
        _end = reader.Read(_buffer, 0, _buffer.Length);
        return _end > 0;
    }
}
