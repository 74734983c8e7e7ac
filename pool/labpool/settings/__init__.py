"""What the lab set: pool.yaml, read into the domain's values, and the data folder with its secrets and ports."""

from labpool.domain.catalogue import Catalogue, Profile, Project
from labpool.settings.cluster import (
    LEAST_CPU,
    LEAST_MEMORY_GIB,
    ClusterSettings,
    Dataset,
    FlavourOnNodes,
    PodOfProfile,
    Toleration,
)
from labpool.settings.completion import complete_catalogue, flavour_of_card, hidden_profiles
from labpool.settings.demo_accounts import DEMO_ACCOUNTS, DemoAccount
from labpool.settings.findings import Finding, InvalidPoolFile
from labpool.settings.kueue_section import KueueSettings, ProjectQuota
from labpool.settings.notices import SMTP_PASSWORD, MailServer, NoticeSettings, mail_password
from labpool.settings.overcommitment import overcommitted_findings
from labpool.settings.place import Place, UnusablePlace, folder_name
from labpool.settings.pool_database import POOL_DATABASE, pool_database, sqlite_url
from labpool.settings.pool_file import PoolFile, load_pool_file
from labpool.settings.ports import InvalidSetting, Ports, config_folder, pool_file_path
from labpool.settings.watched_pool_file import WatchedPoolFile, sound_pool_file, watched_pool_file

__all__ = [
    "DEMO_ACCOUNTS",
    "LEAST_CPU",
    "LEAST_MEMORY_GIB",
    "POOL_DATABASE",
    "SMTP_PASSWORD",
    "Catalogue",
    "ClusterSettings",
    "Dataset",
    "DemoAccount",
    "Finding",
    "FlavourOnNodes",
    "InvalidPoolFile",
    "InvalidSetting",
    "KueueSettings",
    "MailServer",
    "NoticeSettings",
    "Place",
    "PodOfProfile",
    "PoolFile",
    "Ports",
    "Profile",
    "Project",
    "ProjectQuota",
    "Toleration",
    "UnusablePlace",
    "WatchedPoolFile",
    "complete_catalogue",
    "config_folder",
    "flavour_of_card",
    "folder_name",
    "hidden_profiles",
    "load_pool_file",
    "mail_password",
    "overcommitted_findings",
    "pool_database",
    "pool_file_path",
    "sound_pool_file",
    "sqlite_url",
    "watched_pool_file",
]
