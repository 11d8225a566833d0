using System.Text;

namespace Finery.Data.Readers;

/// <summary>
/// Cuts text into rows of fields (RFC 4180): fields in quotes may hold delimiters, line ends and doubled quotes; rows end with
/// <c>\n</c>, <c>\r\n</c> or <c>\r</c>; empty lines are no rows. Leniently, a quote inside an unquoted field is itself. Memory is bounded
/// by <paramref name="maxRowLength"/> UTF-16 units: a longer row is passed over.
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
            Next();
        if (Peek() < 0)
            return false;
        Line = _line;
        var length = 0;
        while (true)
        {
            var c = Next();
            if (c == '"' && _field.Length == 0)
            {
                ReadQuoted(ref length);
                c = Next();
            }
            if (c == delimiter || c is '\r' or '\n' or < 0)
            {
                fields.Add(_field.ToString());
                _field.Clear();
                if (c == delimiter)
                    continue;
                if (c == '\r' && Peek() == '\n')
                    Next();
                break;
            }
            Append((char)c, ref length);
        }
        if (IsTooLong)
            fields.Clear();
        return true;
    }

    /// <summary>The rest of a field after its opening quote, up to the closing one.</summary>
    private void ReadQuoted(ref int length)
    {
        while (true)
        {
            var c = Next();
            if (c < 0)
            {
                IsUnclosed = true;
                return;
            }
            if (c == '"')
            {
                if (Peek() != '"')
                    return;
                Next();
            }
            Append((char)c, ref length);
        }
    }

    private void Append(char c, ref int length)
    {
        if (++length <= maxRowLength)
            _field.Append(c);
        else
        {
            IsTooLong = true;
            _field.Clear();
        }
    }

    private int Peek() => _start < _end || Fill() ? _buffer[_start] : -1;

    private int Next()
    {
        if (_start == _end && !Fill())
            return -1;
        var c = _buffer[_start++];
        // A line end of two characters is counted at its second.
        if (c == '\n' || (c == '\r' && Peek() != '\n'))
            _line++;
        return c;
    }

    private bool Fill()
    {
        _start = 0;
        _end = reader.Read(_buffer, 0, _buffer.Length);
        return _end > 0;
    }
}
