using Decant.Agent.Releases;
using Decant.Archives;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>Records of an extended tar header, and the header of an executable.</summary>
internal sealed class PaxHeader : FuzzTarget
{
    public override IEnumerable<byte[]> Seeds => Bytes("11 path=a\n", "14 linkpath=b\n13 size=123\n", "25 GNU.sparse.major=1 2 3\n\0\0", "\u007fELF\u0002\u0001\u0001\0\0\0\0\0\0\0\0\0\u0002\0>\0", "#!/bin/sh\n", "MZ");

    public override IReadOnlyList<byte[]> Words => Bytes("11 path=", "linkpath=", "size=", "GNU.sparse.", "\n", "99999999999 ", "-5 ", "0 ", "\u007fELF", "9223372036854775807", "\0");

    public override string Run(byte[] input)
    {
        var (header, instead) = ElfHeader.Parse(input);
        Promise(header is null ? instead.Length > 0 : header.Bits is 32 or 64 && header.Architecture.Length > 0, "an ELF header is neither one nor something else");
        try
        {
            var records = PaxRecords.Parse(input);
            Promise(records.Size is null or >= 0, "a size is negative");
            Promise(records.Path?.Contains('\0') != true && records.LinkPath?.Contains('\0') != true, "a name has a NUL in it");
            return $"{records.Path is null}{records.LinkPath is null}{records.Size is null}{records.IsSparse} {instead}";
        }
        catch (InvalidDataException refused)
        {
            return $"{refused.Message[..Math.Min(40, refused.Message.Length)]} {instead}";
        }
    }
}
