using Finery.Data.Readers;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Parquet;

/// <summary>Small files that other programs wrote.</summary>
public sealed class PeerFileTests
{
    // DuckDB 1.5: pages of version 2, Zstandard, packed differences, nested lists, a structure, a map, a timestamp.
    private const string DuckDb =
        "UEFSMRUAFcQBFW4sFQwVDBUGFQYAACi1L/0gYnUBAPACAAAADAGAEAgGGgB0ZXh0IG51bWJlciAwMTIzNDUGAIATwB3gGOAEmPwTIAkVABUq"
        + "FTwsFQwVChUGFQYAACi1L/0gFakAAAIAAAAMAYAQCAYA0A8AAAAAAAAAABUAFfgBFVYsFRAVDBUGFQYAACi1L/0gfBUBAKAhAAAAQYgAQbS0"
        + "gBAIAgQAYTJhNQUAgCiAAyCI1MpEsAUVABVsFUIsFQwVEhUGFQYAACi1L/0gNsUAAJACAAAADAIA4PD4AAQAPz8/QEABAElgBBUAFfACFWYs"
        + "FRgVChUGFQYAACi1L/0guFUBAOhBAAAAQURERABhpmmapgmAEAgGAAIAAAAAAAAAAAQAAAcAUSRYLBKQAxUEFQoVHEwVAhUAAAAotS/9IAUp"
        + "AAABAAAAaxUAFR4VMCwVDBUQFQYVBgAAKLUv/SAPeQAAAgAAAAwAAgAAAAwCAQwAFQAVGhUsLBUMFQAVBhUGAAAotS/9IA1pAAACAAAADAAC"
        + "AAAADAMVFQAVOhVMLBUMFQoVBhUGAAAotS/9IB3pAAACAAAADAGAEAgGgICJguL1hgaAiXoAAAAAAAAAABVAHBwAABwcAAAcHAAAAAAgAAAA"
        + "EAAAAAAAgAAAAAIAAAAgAAAAAQAAABAAABAAFQQZ/BI1ABgNZHVja2RiX3NjaGVtYRUMABUMJQIYBHRleHQlAAAVBCUCGAFuJSQANQIYBHRh"
        + "Z3MVAhUGADUEGARsaXN0FQIAFQwlAhgHZWxlbWVudCUAADUCGAVwb2ludBUEABUKJQIYAXgANQIYAXkVAhUGADUEGARsaXN0FQIANQIYB2Vs"
        + "ZW1lbnQVAhUGADUEGARsaXN0FQIAFQQlAhgHZWxlbWVudCUkADUCGAFtFQIVAgA1BBgJa2V5X3ZhbHVlFQQAFQwlABgDa2V5JQAAFQAlAhgF"
        + "dmFsdWUAFQQlAhgCYXQlFEyMEhwsAAAAAAAWDBkcGYwmABwVDBkVDBkYBHRleHQVDBYMFugBFpIBJgg8GA10ZXh0IG51bWJlciA1GA10ZXh0"
        + "IG51bWJlciAwFgAoDXRleHQgbnVtYmVyIDUYDXRleHQgbnVtYmVyIDAREQAAACYAHBUEGRUKGRgBbhUMFgwWTBZeJpoBPBgIiBMAAAAAAAAY"
        + "CAAAAAAAAAAAFgAoCIgTAAAAAAAAGAgAAAAAAAAAABERAAAAJgAcFQwZFQwZOAR0YWdzBGxpc3QHZWxlbWVudBUMFhAWnAIWeib4ATwYAmE1"
        + "GAJhMhYMKAJhNRgCYTIREQAAACYAHBUKGRUSGSgFcG9pbnQBeBUMFgwWjgEWZCbyAjwYCAAAAAAAAARAGAgAAAAAAAAAABYAKAgAAAAAAAAE"
        + "QBgIAAAAAAAAAAAREQAAACYAHBUEGRUKGWgFcG9pbnQBeQRsaXN0B2VsZW1lbnQEbGlzdAdlbGVtZW50FQwWGBaUAxaKASbWAzwYCAUAAAAA"
        + "AAAAGAgAAAAAAAAAABYMKAgFAAAAAAAAABgIAAAAAAAAAAAREQAAACYAHBUMGRUQGTgBbQlrZXlfdmFsdWUDa2V5FQwWDBZkFogBJpYFJuAE"
        + "HBgBaxgBaxYAFgIYAWsYAWsREQAmpAcVXgAAJgAcFQAZFQAZOAFtCWtleV92YWx1ZQV2YWx1ZRUMFgwWPBZOJugFPBgBARgBABYAKAEBGAEA"
        + "EREAAAAmABwVBBkVChkYAmF0FQwWDBZcFm4mtgY8GAhAa20Q1w0GABgIACAhENcNBgAWACgIQGttENcNBgAYCAAgIRDXDQYAEREAAAAW7goW"
        + "DCYIFpwHACgoRHVja0RCIHZlcnNpb24gdjEuNS42IChidWlsZCAwNjljYzlmOWI1KRmMHAAAHAAAHAAAHAAAHAAAHAAAHAAAHAAAAKwDAABQ"
        + "QVIx";

    // Arrow C++ 25 by ParquetSharp: gzip, DELTA_BYTE_ARRAY, DELTA_BINARY_PACKED with nulls, BYTE_STREAM_SPLIT, a list.
    private const string Arrow =
        "UEFSMRUAFZgBFYIBLBUMFQ4VBhUGAAAfiwgAAAAAAAIDY2JgYOBhbGBkYWNgYAGxGVABSEZKHCRz4AyqXElqRYlCXmluUmqRgoGhkbGJKQDC"
        + "JP1NTAAAABUAFSQVSiwVDBUKFQYVBgAAH4sIAAAAAAACA2NiYGBg1mpgYmG+wL9AHshhAAAQ8buUEgAAABUAFTAVQiwVDBUSFQYVBgAAH4sI"
        + "AAAAAAACA2NgQAYNBxgUGOzt7R0cAG2SFRAYAAAAFQAVMhVMLBUQFQAVBhUGAAAfiwgAAAAAAAIDY2JgYGDuYAaRW7YwAalEIzBpCgCT4w64"
        + "GQAAABkRAhkYDXRleHQgbnVtYmVyIDAZGA10ZXh0IG51bWJlciA1FQIZFgApJgAMABkRAhkYCOgDAAAAAAAAGRgIiBMAAAAAAAAVAhkWBikm"
        + "BgYAGRECGRgEAAAAgBkYBAAAIEAVAhkWAAAZEQIZGAJhMhkYAmE1FQIZFgwZJgwEGUYEBAQEABkcFggVqAEWAAAZFpwBABkcFrABFWwWAAAA"
        + "GRwWnAIVZBYAAAAZHBaAAxVuFgAAGRYIABUEGXw1ABgGc2NoZW1hFQgAFQwlAhgEdGV4dCUATBwAAAAVBCUCGAFuJSRMrBNAEQAAABUIJQAY"
        + "AWYANQIYBHRhZ3MVAhUGTDwAAAA1BBgEbGlzdBUCABUMJQIYBGl0ZW0lAEwcAAAAFgwZHBlMJgAcFQwZJQYOGRgEdGV4dBUEFgwWvgEWqAEm"
        + "CDw2ACgNdGV4dCBudW1iZXIgNRgNdGV4dCBudW1iZXIgMBERABkcFQAVDhUCADwWnAEZBhkmAAwAABb2BRUeFu4DFVoAJgAcFQQZJQYKGRgB"
        + "bhUEFgwWRhZsJrABPBgIiBMAAAAAAAAYCOgDAAAAAAAAFgYoCIgTAAAAAAAAGAjoAwAAAAAAABERABkcFQAVChUCADwpBhkmBgYAABaUBhUW"
        + "FsgEFUYAJgAcFQgZJQYSGRgBZhUEFgwWUhZkJpwCPBgEAAAgQBgEAAAAgBYAKAQAACBAGAQAAACAEREAGRwVABUSFQIAABaqBhUWFo4FFS4A"
        + "JgAcFQwZJQYAGTgEdGFncwRsaXN0BGl0ZW0VBBYQFlQWbiaAAzw2DCgCYTUYAmEyEREAGRwVABUAFQIAPBYIGSYMBBlGBAQEBAAAFsAGFRwW"
        + "vAUVOgAWqgMWDCYIFuYDACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNS4wLjEZTBwAABwAABwAABwAAAAOAgAAUEFSMQ==";

    private static string[] Read(string file)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["a.parquet"], Convert.FromBase64String(file));
        var report = new ReadReport();
        string[] rows =
        [
            .. new ParquetReader { Paths = [folder["a.parquet"]] }.Read(report)
                .Select(d => $"{d.Text} {d.Metadata.ToJsonString()}"),
        ];
        Assert.Empty(report.Skipped);
        return rows;
    }

    [Fact]
    public void A_file_of_duckdb_is_read() => Assert.Equal(
        Enumerable.Range(0, 6).Select(i => $"text number {i} {{\"n\":{i * 1000},"
            + (i % 3 == 0 ? "" : i % 3 == 1 ? "\"tags\":[]," : $"\"tags\":[\"a{i}\",null],")
            + $"\"point\":{{\"x\":{i / 2}{(i % 2 == 0 ? "" : ".5")},\"y\":[[{i}],[]]}},"
            + $"\"m\":{{\"k\":{(i % 2 == 0 ? "true" : "false")}}},\"at\":\"2024-01-01T00:00:0{i}Z\"}}"),
        Read(DuckDb));

    [Fact]
    public void A_file_of_arrow_is_read() => Assert.Equal(
        Enumerable.Range(0, 6).Select(i => $"text number {i} {{" + (i % 2 == 0 ? "" : $"\"n\":{i * 1000},")
            + $"\"f\":{i / 2}{(i % 2 == 0 ? "" : ".5")}"
            + (i % 3 == 0 ? "" : i % 3 == 1 ? ",\"tags\":[]" : $",\"tags\":[\"a{i}\",null]") + "}"),
        Read(Arrow));
}
