"""What becomes of each keyword of OpenSSH's configuration.

A keyword is honoured, or says nothing to a program that runs commands without a terminal, or is reported:
without it another host may be reached, or logging in goes another way than the user asked for.
"""

from __future__ import annotations

__all__ = ("ALIASES", "LISTS", "RAW", "REPORTED", "SILENT", "SINGLE", "is_reported")


def _lower(keywords: str) -> frozenset[str]:
    return frozenset(keywords.lower().split())


#: Old names of keywords.
ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
    "hostbasedkeytypes": "hostbasedacceptedalgorithms",
    "identityfile2": "identityfile",
    "keepalive": "tcpkeepalive",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "skeyauthentication": "kbdinteractiveauthentication",
    "smartcarddevice": "pkcs11provider",
    "tisauthentication": "kbdinteractiveauthentication",
}
#: Keywords that take the rest of the line as it is.
RAW = _lower("KnownHostsCommand LocalCommand ProxyCommand ProxyJump RemoteCommand")
#: Keywords with several values on a line.
LISTS = _lower("GlobalKnownHostsFile SendEnv SetEnv UserKnownHostsFile")

_HONOURED = _lower("""
    AddressFamily BindAddress CertificateFile Ciphers Compression ConnectTimeout
    ForwardAgent GlobalKnownHostsFile HashKnownHosts HostKeyAlgorithms HostKeyAlias HostName IdentitiesOnly
    IdentityAgent IdentityFile IgnoreUnknown KbdInteractiveAuthentication KexAlgorithms MACs
    PasswordAuthentication Port PreferredAuthentications ProxyCommand ProxyJump PubkeyAcceptedAlgorithms
    PubkeyAuthentication SendEnv ServerAliveCountMax ServerAliveInterval SetEnv StrictHostKeyChecking Tag User
    UserKnownHostsFile
""")
#: About terminals, logs, X11, connections that outlive a program, or about what is reported anyway; and what
#: OpenSSH itself has given up.
_WITHOUT_MEANING = _lower("""
    AddKeysToAgent BatchMode CanonicalDomains CanonicalizeFallbackLocal CanonicalizeMaxDots
    CanonicalizePermittedCNAMEs ChannelTimeout CheckHostIP ClearAllForwardings ConnectionAttempts
    ControlMaster ControlPath ControlPersist EnableEscapeCommandline EnableSSHKeysign EscapeChar
    ExitOnForwardFailure FingerprintHash
    ForkAfterAuthentication ForwardX11 ForwardX11Timeout ForwardX11Trusted GatewayPorts
    GSSAPIClientIdentity GSSAPIDelegateCredentials GSSAPIKexAlgorithms GSSAPIKeyExchange
    GSSAPIRenewalForcesRekey GSSAPIServerIdentity GSSAPITrustDNS HostbasedAcceptedAlgorithms IPQoS
    KbdInteractiveDevices LocalCommand LogLevel LogVerbose NumberOfPasswordPrompts ObscureKeystrokeTiming
    PermitRemoteOpen RekeyLimit RequestTTY SessionType StdinNull StreamLocalBindMask StreamLocalBindUnlink
    SyslogFacility TCPKeepAlive TunnelDevice UpdateHostKeys VersionAddendum VisualHostKey WarnWeakCrypto
    XAuthLocation
    AFSTokenPassing Cipher CompressionLevel FallbackToRsh GlobalKnownHostsFile2 KerberosAuthentication
    KerberosTGTPassing Protocol RhostsAuthentication RhostsRSAAuthentication RSAAuthentication
    UsePrivilegedPort UserKnownHostsFile2 UseRoaming UseRsh
""")
SILENT = _HONOURED | _WITHOUT_MEANING

#: Keywords that have no effect here and should have one, and their values that do nothing in OpenSSH, too.
_NO_EFFECT = {
    "BindInterface": "",
    "CanonicalizeHostname": "no false none",
    "CASignatureAlgorithms": "",
    "DynamicForward": "",
    "GSSAPIAuthentication": "no false",
    "HostbasedAuthentication": "no false",
    "KnownHostsCommand": "none",
    "LocalForward": "",
    "NoHostAuthenticationForLocalhost": "no false",
    "PermitLocalCommand": "no false",
    "PKCS11Provider": "none",
    "ProxyUseFdpass": "no false",
    "RefuseConnection": "none",
    "RemoteCommand": "none",
    "RemoteForward": "",
    "RequiredRSASize": "0 1024",
    "RevokedHostKeys": "none",
    "SecurityKeyProvider": "internal none",
    "Tunnel": "no false",
    "VerifyHostKeyDNS": "no false",
}
REPORTED = {name.lower(): (name, frozenset(values.split())) for name, values in _NO_EFFECT.items()}
#: What distributions set in ``/etc/ssh`` for everybody. Nobody asked for it there, so only what stands in a
#: file of the user's is reported.
_SET_BY_DISTRIBUTIONS = _lower("CASignatureAlgorithms GSSAPIAuthentication RequiredRSASize")
_SYSTEM_PLACES = ("/etc/", "/usr/")

#: Keywords after whose value nothing may follow.
SINGLE = (_HONOURED | REPORTED.keys()) - RAW - LISTS - _lower("DynamicForward LocalForward RemoteForward")


def is_reported(keyword: str, value: str, file: str) -> str | None:
    """The name to report a setting by, or ``None`` if there is nothing to report.

    Args:
        keyword: a known one in lower case, another one as it was written.
        value: its value.
        file: the file that it stands in.
    """
    if keyword in SILENT:
        return None
    if keyword not in REPORTED:
        return keyword
    name, quiet = REPORTED[keyword]
    if value.lower() in quiet:
        return None
    if keyword in _SET_BY_DISTRIBUTIONS and file.startswith(_SYSTEM_PLACES):
        return None
    return name
